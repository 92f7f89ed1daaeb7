"""Whether a folder that is given for one person looks like one person's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from idia_index.errors import RefusedError
from idia_index.support.text import shown, shown_path

_SHOWN = 3


def check_one_person(folder: Path, images: Iterable[Path]) -> None:
    """Raises InputError if images lie in several folders side by side below `folder`.

    That is what a folder of many people looks like, whose photos would be judged as one
    person's. One person's photos may be sorted into folders as well, so these can be named one
    by one; folders of a single chain are not in doubt.
    """
    places = {image.parent for image in images}
    if not places:
        return
    common = Path(os.path.commonpath(places))
    beside = sorted({place.relative_to(common).parts[0] for place in places if place != common})
    if len(beside) < 2:
        return
    named = ", ".join(map(shown, beside[:_SHOWN]))
    more = f" and {len(beside) - _SHOWN:,} more" if len(beside) > _SHOWN else ""
    raise RefusedError(
        f"{shown_path(folder)}: its images lie in {len(beside):,} folders ({named}{more}), as "
        "those of several people do; test each person with idia-index audit, or, if all show one "
        "person, name these folders one by one"
    )
