"""`mfp weights fetch`: gets weights that others publish."""

from __future__ import annotations

import argparse

from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import facts, show
from backend.environment.readers import folder
from mfp_model.weights.downloads import WEIGHTS_SOURCES


def add(commands: Commands) -> None:
    """Add the command."""
    words = "get weights that others publish, resumed and checked"
    parser = commands.add("fetch", words, _fetch, goes_on=True)
    parser.add_argument(
        "name", choices=WEIGHTS_SOURCES, metavar="NAME", help=", ".join(WEIGHTS_SOURCES)
    )
    parser.add_argument(
        "--to",
        type=of(folder(may_be_new=True)),
        metavar="DIR",
        help="default: the folder cache of MFP_DATA_DIR",
    )
    parser.add_argument("--offline", action="store_true", help="only look, download nothing")
    add_json(parser, takes_file=False)


def _fetch(options: argparse.Namespace) -> None:
    from backend.models.downloads import fetch_weights

    place = options.to or options.settings.cache_dir
    path = fetch_weights(options.name, place, is_offline=options.offline)
    source = WEIGHTS_SOURCES[options.name]
    report = {"path": str(path), "licence": source.licence, "use": source.use}
    show(options, report, facts(report))
