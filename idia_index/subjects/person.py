"""Collects the photos of one person."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from idia_index.errors import InputError
from idia_index.subjects.paths import what_to_do
from idia_index.subjects.photo_files import describe_nothing, photos_below
from idia_index.subjects.records import Skipped, Subject
from idia_index.support.remote import Place, RemotePath, files_at
from idia_index.support.text import shown, shown_path

_IMAGES = frozenset(
    {
        ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic",
        ".heif", ".avif", ".jxl",
    }
)  # fmt: skip


@dataclass
class Person:
    """Collects a subject's photos.

    Attributes:
        name, membership, training_count, person: as in `Subject`.
        images: photos by resolved path, so that each counts once.
        skipped: files that were left out, and why.
        passed: files ignored by name, to explain why someone has no photo.
    """

    name: str
    membership: str | None = None
    training_count: int | None = None
    person: str | None = None
    images: dict[str, Place] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    passed: list[Skipped] = field(default_factory=list)

    def add(self, path: Place, place: str) -> list[Place]:
        """Adds an image or the images of a folder; `place` is where it was named.

        Returns the new photos.

        Raises:
            InputError: it does not exist or cannot be read.
        """
        if isinstance(path, Path):
            path = path.absolute()  # reports are also replayed from other folders
        known = len(self.images)
        if _is_folder(path, place):
            found = photos_below(path)
            self.skipped += found.skipped
            self.passed += found.passed
            for photo in found.photos:
                self._add_image(photo)
        else:
            self._add_image(path)
        return list(self.images.values())[known:]

    def subject(self, place: str) -> Subject:
        """The subject; raises InputError if it has no image."""
        if not self.images:
            nothing = describe_nothing([*self.skipped, *self.passed])
            raise InputError(f"{place}: {shown(self.name)} {nothing}")
        return Subject(
            self.name,
            tuple(self.images.values()),
            self.membership,
            self.training_count,
            tuple(self.skipped),
            self.person,
        )

    def _add_image(self, path: Place) -> None:
        first = self.images.setdefault(os.path.realpath(path), path)
        if first is path:
            return
        if first == path:
            self._skip(path, "listed twice, counts once")
        else:
            self._skip(path, f"the same file as {shown_path(first)}, counts once")

    def _skip(self, path: Place, reason: str) -> None:
        self.skipped.append(Skipped(path, f"{shown_path(path)}: {reason}"))


def _is_folder(path: Place, place: str) -> bool:
    try:
        if isinstance(path, RemotePath):
            # Images named in a table of a store are not checked one by one.
            return path.suffix.lower() not in _IMAGES and _lists_more(path)
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"{place}: {shown_path(path)}: no such image or folder; {what_to_do(path)}"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{place}: {shown_path(path)}: cannot be read ({reason}); check the path and its "
            "permissions"
        ) from error


def _lists_more(path: RemotePath) -> bool:
    files = files_at(path)
    if not files:
        raise FileNotFoundError
    return files != [path]
