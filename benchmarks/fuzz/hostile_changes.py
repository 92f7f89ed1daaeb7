"""What a hostile hand does to a directory of files and their manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Random = np.random.Generator

ABSURD = (
    -1, 0, 1, 2, 2**31, 2**32 - 1, 2**53, 2**62, 2**63, 2**64, 10**30, -(2**63), 0.5, 1e300,
    float("inf"), float("nan"), True, None, "", "7", "../x", "/etc/passwd", "a" * 5000, "\x1b[31m",
    "\n", "\ud800", [], {}, [[]], [1] * 3, {"a": 1}, "٣", "000000.faiss", "manifest.json", "lock",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A sort of change.

    Attributes:
        name: what it is called.
        make: does it to a directory, and says what it did.
        can_be_signed: whether a manifest can be made to fit it.
        guarded: whether no answer may differ under an honest manifest.
    """

    name: str
    make: Callable[[Path, Random], str]
    can_be_signed: bool = True
    guarded: bool = True


def _pick(folder: Path, random: Random) -> Path:
    files = sorted(file for file in folder.iterdir() if file.stat().st_size)
    return files[int(random.integers(len(files)))]


def _flip(folder: Path, random: Random) -> str:
    file = _pick(folder, random)
    data = bytearray(file.read_bytes())
    # Headers are where sizes and offsets stand.
    most = len(data) if random.random() < 0.5 else min(len(data), 300)
    places = [int(random.integers(most)) for _ in range(int(random.integers(1, 9)))]
    for place in places:
        data[place] ^= 1 << int(random.integers(8))
    file.write_bytes(data)
    return f"{file.name} at {places}"


def _number(folder: Path, random: Random) -> str:
    """A number of four or eight bytes in a binary file, replaced by an absurd one."""
    file = _pick(folder, random)
    data = bytearray(file.read_bytes())
    width = int(random.choice([4, 8]))
    place = int(random.integers(min(len(data), 400)))
    value = int(random.choice([-1, 0, 1, 2, 7, 1 << 20, 1 << 30, (1 << 31) - 1]))
    if random.random() < 0.3 and width == 8:
        value = int(random.choice([1 << 40, 1 << 61, (1 << 63) - 1, -(1 << 63)]))
    data[place : place + width] = value.to_bytes(width, "little", signed=True)
    file.write_bytes(data)
    return f"{file.name} at {place}: {value}"


def _cut(folder: Path, random: Random) -> str:
    file = _pick(folder, random)
    size = int(random.integers(file.stat().st_size))
    os.truncate(file, size)
    return f"{file.name} to {size}"


def _extend(folder: Path, random: Random) -> str:
    file = _pick(folder, random)
    more = int(random.choice([1, 8, 4096, 1 << 20, 1 << 36]))
    if more == 1 << 36:  # takes no space on the disk
        os.truncate(file, file.stat().st_size + more)
    else:
        with file.open("ab") as out:
            out.write(random.bytes(more) if random.random() < 0.5 else b"\0" * more)
    return f"{file.name} by {more}"


def _swap(folder: Path, random: Random) -> str:
    one, other = _pick(folder, random), _pick(folder, random)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{one.name} and {other.name}"


def _noise(folder: Path, random: Random) -> str:
    file = _pick(folder, random)
    file.write_bytes(random.bytes(int(random.integers(2000))))
    return file.name


def _special(folder: Path, random: Random) -> str:
    """A link, a pipe or a folder where a file should be, or where one will be written."""
    names = [file.name for file in folder.iterdir()]
    names += ["lock", "build.json", "pending.json", "images.cache", "old-0.json", "000099.faiss"]
    names += ["000099.shard.json", "000099.part.json", "manifest.json.part", "000099.faiss.part"]
    names += ["000009.names.txt.part", "000010.faiss.part", "pending.json.part"]
    path = folder / str(random.choice(sorted(names)))
    outside = folder.parent / "outside"
    moved = outside / path.name
    if path.is_file():
        path.replace(moved)
    elif path.is_dir():
        return "left"
    else:
        moved.write_text("secret")
    how = str(random.choice(["link", "pipe", "folder", "loop"]))
    if how == "link":
        path.symlink_to(moved)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
        (path / "x").touch()
    else:
        path.symlink_to(path.name)
    return f"{path.name} a {how}"


def _edit_json(folder: Path, random: Random) -> str:
    """A value somewhere in the manifest replaced by an absurd one, left out, or put elsewhere."""
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    places = list(_places(data))
    chosen = [
        places[int(random.integers(len(places)))] for _ in range(1 + int(random.random() < 0.3))
    ]
    told = []
    for parent, key in chosen:
        try:
            if random.random() < 0.15:
                del parent[key]
                told.append(f"{key} gone")
            elif random.random() < 0.15 and isinstance(parent, list):
                parent.append(parent[key])
                told.append(f"{key} twice")
            elif random.random() < 0.2:
                other, name = places[int(random.integers(len(places)))]
                parent[key] = other[name]
                told.append(f"{key} = {str(parent[key])[:40]}")
            else:
                parent[key] = ABSURD[int(random.integers(len(ABSURD)))]
                told.append(f"{key} = {str(parent[key])[:40]!r}")
        except (IndexError, KeyError):
            continue
    try:
        path.write_text(json.dumps(data))
    except (ValueError, RecursionError):  # put into itself
        raise ValueError("no JSON") from None
    return ", ".join(told)


def _places(data: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(items):
        found.append((data, key))
        if isinstance(value, dict | list):
            found += _places(value)
    return found


def _raw_json(folder: Path, random: Random) -> str:
    """JSON that is odd as a text: deep, long, with keys twice."""
    path = folder / "manifest.json"
    text = path.read_text()
    how = int(random.integers(6))
    inner = text.strip().removeprefix("{")
    new = [
        "[" * 200_000,
        '{"format": ' * 100_000,
        "{" + inner.replace('"count": ', '"count": ' + "9" * 5000, 1),
        '{"format": "idia-index/index/2", "shards": [], ' + inner,
        "{" + inner.replace("}", ', "x": ' + "9" * (1 << 20) + "}", 1),
        text + " " * (80 << 20),
    ][how]
    path.write_text(new)
    return f"sort {how}"


CHANGES = [
    Change("flip", _flip),
    Change("number", _number),
    Change("number", _number),
    Change("cut", _cut),
    Change("extend", _extend),
    Change("swap", _swap),
    Change("noise", _noise),
    Change("special", _special, can_be_signed=False),
    Change("special", _special, can_be_signed=False),
    Change("manifest", _edit_json, guarded=False),
    Change("manifest", _edit_json, guarded=False),
    Change("manifest", _edit_json, guarded=False),
    Change("odd JSON", _raw_json, guarded=False),
]
