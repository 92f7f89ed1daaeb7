"""What can be done about a damaged file of an index, by the sort of file."""

from __future__ import annotations

REPAIR = "fix it with: idia-index repair"
BACKUP = "no model can restore it: copy the file from a backup, or rebuild the index"

# Names are on no model, and neither is which of them were removed.
_ONLY_HERE = (".names.txt", ".removed")


def can_be_repaired(file: str) -> bool:
    """Whether `repair` makes a file of this name again; it does so for shards and lookups."""
    return not file.endswith(_ONLY_HERE)


def remedy(file: str) -> str:
    """What to do about a file of this name."""
    return REPAIR if can_be_repaired(file) else BACKUP
