"""Checks that a folder passed as one person's photos looks like one person's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from idia_index.errors import RefusedError
from idia_index.prompts.names import name_key
from idia_index.support.remote import Place, as_place
from idia_index.support.text import listed, shown, shown_path

_SHOWN = 3

# Names of photo folders that are not people's names.
GENERIC = frozenset(
    {
        "image", "images", "img", "imgs", "face", "faces", "photo", "photos", "foto", "fotos",
        "picture", "pictures", "pics", "portrait", "portraits", "crop", "crops", "cropped",
        "aligned", "raw", "original", "originals", "edited", "camera", "dcim", "bilder", "bild",
        "gesichter", "train", "test", "val", "validation", "data", "dataset", "datasets",
        "download", "downloads", "album", "albums", "takeout", "google", "archive", "new", "old",
        "misc", "other", "more", "set", "actors", "actresses", "actor", "actress", "people",
        "persons", "person", "subjects", "celebrities", "members", "nonmembers", "frontal",
        "profile", "selfies", "sent", "private", "iphone", "january", "february", "march",
        "april", "may", "june", "july", "august", "september", "october", "november", "december",
        "whatsapp", "telegram", "instagram", "facebook", "icloud", "stickers", "screenshots",
        "part", "labels",
    }
)  # fmt: skip
_JOINING = {"from", "of", "the", "in", "and", "von", "de"}  # Photos from 2021
_PART = re.compile(r"[^\W\d_]+")


def sorts_photos(name: str) -> bool:
    """Whether a folder's name sorts one person's photos: by year, camera or kind."""
    words = _PART.findall(name.casefold())
    numbered = any(map(str.isdigit, name)) and len(words) <= 1
    return not words or numbered or set(words) <= GENERIC | _JOINING


def check_one_person(folder: Place, images: Iterable[Place], known: str = "") -> None:
    """Raises RefusedError if images are in several sibling folders below `folder`.

    A folder of many people looks like that, and their photos would be judged as one person's.
    Exceptions: folders that sort photos by year or kind, one named after the `known` person, and
    a single chain of folders.
    """
    places = {image.parent for image in images}
    if not places:
        return
    common = as_place(os.path.commonpath(places))
    beside = {place.relative_to(common).parts[0] for place in places if place != common}
    mine = name_key(known)
    doubtful = sorted(
        name for name in beside
        if not sorts_photos(name) and name_key(name.replace("_", " ")) != mine
    )  # fmt: skip
    if len(beside) < 2 or not doubtful:
        return
    named = listed([*map(shown, doubtful)], _SHOWN)
    each = (
        "make one folder First_Last per person" if known else
        "test each person with idia-index audit"
    )  # fmt: skip
    raise RefusedError(
        f"{shown_path(folder)}: its images are in {len(beside):,} folders ({named}), as if of "
        f"several people; {each}, or, if all show one person, list these folders one by one, on "
        "the command line or in a table of subjects"
    )
