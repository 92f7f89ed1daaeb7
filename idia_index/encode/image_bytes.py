"""Represents an image file: by a path, a URL, or bytes that must not touch a disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from idia_index.support.remote import RemotePath


@dataclass(frozen=True)
class ImageBytes(os.PathLike[str]):
    """The bytes of an image file, with a name for messages and reports.

    It can replace the path of an image anywhere. The name opens nothing, but must be unique among
    a person's images, whose hashes are listed by it.
    """

    name: str
    data: bytes = field(repr=False)

    def __fspath__(self) -> str:
        return self.name


ImageFile: TypeAlias = Path | ImageBytes | RemotePath


def on_disk(images: Iterable[ImageFile]) -> list[Path]:
    """The images that are local files."""
    return [image for image in images if isinstance(image, Path)]
