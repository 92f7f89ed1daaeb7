"""Checks a sample of each person's photos for one face that is large enough for the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.images import load_image
from idia_index.errors import InputError, install_command
from idia_index.photos.crops import Crop
from idia_index.photos.look import SMALL, View, look
from idia_index.support.concurrency import in_threads
from idia_index.support.text import counted, listed, shown
from idia_index.support.threads import workers

LOOKED_AT = 8  # photos per person; each takes about 30 ms in addition to decoding
_NAMED = 3

NOT_LOOKED = (
    "Faces were not looked for: a second person in a photo, or a face that is small or cut off, "
    "hides members and would have gone unnoticed. Install the face detector ({install}) and run "
    "again, or look at the photos in the sheet of `idia-index photos`."
)
_NOT = NOT_LOOKED.partition(":")[0]

_Seen = tuple[bool, bool, bool, bool]
_WORDS = (
    ("shows several faces", "show several faces"),
    ("shows no detected face", "show no detected face"),
    ("shows a small face", "show a small face"),
    ("shows a face cut by the model's crop", "show a face cut by the model's crop"),
)


def face_cautions(
    people: Mapping[str, Sequence[ImageFile]], view: View, crop: Crop
) -> tuple[str, ...]:
    """A sentence of caution about the faces in people's photos; nothing if all is well.

    Without a detector it says that faces were not looked for. If a model does not state which part
    of a photo it sees, the whole photo counts.

    Args:
        people: the photos of each person, by name.
        view: how the model sees them.
        crop: how each photo is cropped first, and the face detector.
    """
    if crop.detector is None:
        return (NOT_LOOKED.format(install=install_command("faces")),)
    whole = View(view.fit, lambda width, height: view.seen(width, height) or (0, 0, width, height))
    chosen = [
        (name, photos[place])
        for name, photos in people.items()
        for place in np.unique(np.linspace(0, len(photos) - 1, LOOKED_AT).astype(int)).tolist()
    ]

    def seen(of: tuple[str, ImageFile]) -> _Seen | None:
        try:
            part, found = crop.with_faces(load_image(of[1]), of[1])
            faces = look(part, whole, found).faces
        except InputError:  # listed when encoded
            return None
        if faces is None:
            return None
        one = faces[0] if faces else None
        return (
            len(faces) > 1, not faces, one is not None and one.share < SMALL,
            one is not None and one.is_cut,
        )  # fmt: skip

    found = [(of[0], each) for of, each in in_threads(seen, chosen, workers()) if each]
    counts = [sum(each[kind] for _, each in found) for kind in range(len(_WORDS))]
    if not any(counts):
        return ()
    told = ", ".join(
        f"{count:,} {words[count > 1]}"
        for count, words in zip(counts, _WORDS, strict=True)
        if count
    )
    looked = Counter(name for name, _ in found)
    doubtful = Counter(name for name, each in found if any(each))
    mostly = [name for name, count in doubtful.items() if 2 * count >= looked[name]]
    named = listed([*map(shown, mostly)], _NAMED)
    whose = f"; half or more of the photos of {named}" if mostly else ""
    remedy = "--crop face" if crop.margin is None else "--crop FILE"
    return (
        f"Of {counted(len(found), 'photo')} checked for faces, {told}{whose}. The model judges "
        f"all that it sees, and such photos hide members: crop them ({remedy}), or list them with "
        "`idia-index photos`.",
    )


def was_looked_for(cautions: Sequence[str]) -> bool:
    """Whether these cautions come from a check for faces."""
    return not any(each.startswith(_NOT) for each in cautions)
