"""A data folder's versions -> the bucket of several machines.

A file tells of it once all are there. So a folder's versions are used from one place, never from
two.
"""

from __future__ import annotations

import json
from pathlib import Path

from backend.storage.bucket import Bucket
from backend.storage.data_folder import DataFolder
from mfp_model.errors import ConfigError
from mfp_model.files import write_atomically

_LAST = "manifest.json"  # a version is there as soon as it has one


def check_versions(data: DataFolder, bucket: Bucket | None) -> None:
    """Refuse a folder whose versions are not where they are looked for.

    Args:
        data: The folder.
        bucket: Where they are looked for; None for the folder itself.

    Raises:
        ConfigError: They were moved into another bucket, or not moved into this one.
    """
    moved_to = _moved_to(data)
    if bucket is None and moved_to is not None:
        raise ConfigError(
            f"{data.moved_versions_file}: the versions were moved into a bucket; name {moved_to} "
            "in MFP_BUCKET, or remove this file to go back to those of the folder"
        )
    names = [] if bucket is None else _names(data)
    if bucket is not None and names and moved_to != bucket.url:
        raise ConfigError(
            f"MFP_DATA_DIR={str(data.root)!r}: has versions ({', '.join(names)}) that were not "
            f"moved into MFP_BUCKET={bucket.url}; run `mfp migrate`, or name another folder"
        )


def move_versions(data: DataFolder, bucket: Bucket) -> list[str]:
    """Copy a folder's versions into a bucket; the files stay, and are used no more.

    Returns:
        Those that were copied; empty where there were none, or all were there.

    Raises:
        ConfigError: The bucket has another version of one of these names.
        StorageError: The bucket cannot be used.
    """
    copied = []
    for name in _names(data):
        folder = data.models / name
        there = bucket.read(f"models/{name}/{_LAST}")
        if there is None:
            for path in sorted(folder.iterdir(), key=lambda path: path.name == _LAST):
                bucket.upload(path, f"models/{name}/{path.name}")
            copied.append(name)
        elif there != (folder / _LAST).read_bytes():
            raise ConfigError(
                f"MFP_BUCKET={bucket.url}: has another version {name} already; rename the folder's"
            )
    if _names(data):
        entry = {"bucket": bucket.url}
        write_atomically(data.moved_versions_file, json.dumps(entry, indent=1).encode())
    return copied


def _names(data: DataFolder) -> list[str]:
    names = (path.parent.name for path in data.models.glob(f"*/{_LAST}"))
    return sorted(name for name in names if not name.startswith("."))  # half made or half removed


def _moved_to(data: DataFolder) -> str | None:
    path: Path = data.moved_versions_file
    try:
        return str(json.loads(path.read_text())["bucket"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path}: damaged ({error}); run `mfp migrate` again") from None
