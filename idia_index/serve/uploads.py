"""Forms with files, read into memory and never onto a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from idia_index.encode.image_bytes import ImageBytes
from idia_index.errors import InputError
from idia_index.serve.server import Limits
from idia_index.support.text import printable

_BOUNDARIES = 1 << 20  # bytes of a form around its files
_LONGEST_NAME = 200


@dataclass
class Form:
    """What was sent: fields, and files in the order in which they came."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[ImageBytes] = field(default_factory=list)


async def read_form(request: Request, limits: Limits, room: int) -> Form:
    """Reads a form of either encoding, in memory.

    Args:
        request: what was sent.
        limits: the server's.
        room: bytes of files that there is room for.

    Raises:
        InputError: it is larger, holds more files, is damaged, or arrives too slowly.
    """
    try:
        return await asyncio.wait_for(_read(request, limits, room), limits.upload_seconds)
    except asyncio.TimeoutError as error:
        raise InputError(
            f"the form took more than {limits.upload_seconds:,.0f} seconds to arrive; send fewer "
            "photos at a time"
        ) from error


async def _read(request: Request, limits: Limits, room: int) -> Form:
    multipart = request.headers.get("content-type", "").startswith("multipart/")
    most = room + _BOUNDARIES if multipart else limits.text_bytes
    try:
        stated = int(request.headers.get("content-length") or 0)
    except ValueError as error:
        raise InputError("the form states no length that is a number") from error
    if stated > most:
        raise InputError(too_much(room))
    stream = _bounded(request, most, room)
    if not multipart:
        text = b"".join([block async for block in stream]).decode("utf-8", "replace")
        return Form(_fields(text))
    try:
        return await _read_multipart(request, stream, limits)
    except MultiPartException as error:
        raise InputError(f"the form cannot be read: {error.message}") from error


def too_much(room: int) -> str:
    """Of photos that there is no room for."""
    return (
        f"these are more bytes than the {room / 1e6:,.0f} MB that there is room for; send fewer "
        "photos, or delete those of other people first (My data)"
    )


async def _bounded(request: Request, most: int, room: int) -> AsyncGenerator[bytes, None]:
    taken = 0
    async for block in request.stream():
        taken += len(block)
        if taken > most:
            raise InputError(too_much(room))
        yield block


def _fields(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=200))


class _InMemory(MultiPartParser):
    """Keeps every file in memory: the stream is bounded, so that no file reaches this size."""

    spool_max_size = 1 << 62


async def _read_multipart(
    request: Request, stream: AsyncGenerator[bytes, None], limits: Limits
) -> Form:
    parser = _InMemory(
        request.headers,
        stream,
        max_files=limits.photos,
        max_fields=200,
        max_part_size=limits.text_bytes,
    )
    form = Form()
    for name, value in (await parser.parse()).multi_items():
        if not isinstance(value, UploadFile):
            form.fields[name] = value
            continue
        data = await value.read()
        await value.close()
        # A form whose picker was left empty sends one file without name and bytes.
        if value.filename or data:
            form.files.append(ImageBytes(_shown_name(value.filename), data))
    return form


def _shown_name(name: str | None) -> str:
    """A file's name as pages may show it; folders stay, since they say whose photo it is."""
    parts = [part for part in (name or "photo").replace("\\", "/").split("/") if part.strip(". ")]
    return printable("/".join(parts))[-_LONGEST_NAME:] or "photo"
