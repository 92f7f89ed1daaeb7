"""What represents an image file: a path, a URL, or bytes that must touch no disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from idia_index.support.remote import RemotePath


@dataclass(frozen=True)
class ImageBytes(os.PathLike[str]):
    """The bytes of an image file, with the name that messages and reports call it by.

    It stands wherever the path of an image does. The name opens nothing: two of a person's
    images must differ in it, since their hashes are listed by it.
    """

    name: str
    data: bytes = field(repr=False)

    def __fspath__(self) -> str:
        return self.name


ImageFile: TypeAlias = Path | ImageBytes | RemotePath


def on_disk(images: Iterable[ImageFile]) -> list[Path]:
    """Those of the images that are files here."""
    return [image for image in images if isinstance(image, Path)]
