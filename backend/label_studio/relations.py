"""Relations between regions.

The page finds a relation's regions by their ids. An answer that waits for its check has the id of
the region that it edits, so there are two regions of one id: the page breaks, and goes blank. With
Auto-Accept no answer waits.
"""

from __future__ import annotations

from collections.abc import Iterable

from mfp_model.errors import MfpError


class RelationError(MfpError):
    """A mask that cannot be edited because of its relation to another one."""


def check_relations(regions: Iterable[str], saved: Iterable[object]) -> None:
    """Refuse regions that are in a relation.

    Args:
        regions: Ids of the regions in whose place an answer is to wait.
        saved: Rows of the annotation that they are in.

    Raises:
        RelationError: One of them is.
    """
    relations = [row for row in saved if isinstance(row, dict) and is_relation(row)]
    related = {str(row.get(end)) for row in relations for end in ("from_id", "to_id")}
    for name in regions:
        if name in related:
            raise RelationError(
                f"region {name:.40} is in a relation: its mask cannot be corrected without "
                'autoAccept="true" on the mask control, since the page would go blank'
            )


def is_relation(row: object) -> bool:
    """Return whether a row tells of two regions, and of none alone."""
    return isinstance(row, dict) and row.get("type") == "relation"
