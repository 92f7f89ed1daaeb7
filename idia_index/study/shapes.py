"""A person's face as polygons that an image can turn, tilt and make smile.

Coordinates: the middle of the face is (0, 0), half its width is 1, y points down. Every point has
a depth (how far it comes forward, which a turned head shows as a shift) and five offsets, one for
each expression axis, so that one image's points are a sum of arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from idia_index.study.traits import Traits, person_traits

AXES = ("smile", "open", "blink", "raise", "gaze")
Point = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Face:
    """All polygons of a face, as one table.

    Attributes:
        parts: name -> slice of rows.
        base: float64 `[P, 2]`; depth: float64 `[P]`; moves: float64 `[5, P, 2]` (see `AXES`).
    """

    parts: dict[str, slice]
    base: Floats
    depth: Floats
    moves: Floats


class _Builder:
    """Collects polygons with their depths and expression offsets."""

    def __init__(self) -> None:
        self.parts: dict[str, slice] = {}
        self.points: list[Point] = []
        self.depths: list[float] = []
        self.moves: list[list[Point]] = []

    def add(self, name: str, points: list[Point], depth: float | None = None) -> None:
        """Adds a polygon; with depth None its points lie on the face's curved front."""
        self.parts[name] = slice(len(self.points), len(self.points) + len(points))
        self.points += points
        self.depths += [surface(x) if depth is None else depth for x, _ in points]
        self.moves += [[(0.0, 0.0)] * len(AXES) for _ in points]

    def move(self, name: str, axis: str, offsets: list[Point]) -> None:
        """Says how far each point of a part goes when an expression axis is at 1."""
        rows = range(self.parts[name].start, self.parts[name].stop)
        for row, offset in zip(rows, offsets, strict=True):
            self.moves[row][AXES.index(axis)] = offset

    def face(self) -> Face:
        moves = np.array(self.moves, dtype=np.float64).transpose(1, 0, 2)
        return Face(self.parts, np.array(self.points), np.array(self.depths), moves.copy())


def surface(x: float) -> float:
    """Depth of the face's front at x."""
    return 0.62 * (1.0 - 0.55 * min(1.0, x * x))


def ellipse(centre: Point, rx: float, ry: float, count: int = 14) -> list[Point]:
    """The corners of an ellipse's polygon."""
    turns = (2 * math.pi * i / count for i in range(count))
    return [(centre[0] + rx * math.cos(t), centre[1] + ry * math.sin(t)) for t in turns]


def outline(shape: dict[str, float], grow: float = 0.0) -> list[Point]:
    """The face's outline; `grow` widens it all round."""
    points = []
    for i in range(28):
        t = 2 * math.pi * i / 28
        c, s = math.cos(t), math.sin(t)
        power = shape["jaw_square"] if s > 0 else 0.92
        x = math.copysign(abs(c) ** power, c)
        x *= 1.0 - shape["jaw_taper"] * max(0.0, s) ** 2
        x += math.copysign(shape["cheek"] * math.exp(-(((s - 0.3) / 0.3) ** 2)), c) if c else 0.0
        y = (shape["chin"] if s > 0 else shape["crown"]) * s
        points.append((x * (1 + grow), y * (1 + grow)))
    return points


def _eyes(b: _Builder, s: dict[str, float]) -> None:
    for side, sign in (("l", -1.0), ("r", 1.0)):
        cx, cy, w, h = sign * s["eye_gap"], s["eye_y"], s["eye_width"], s["eye_height"]
        upper: list[Point] = []
        lower: list[Point] = []
        for i in range(7):
            u = -1 + i / 3
            tilt = -s["eye_tilt"] * u * sign
            upper.append((cx + u * w, cy + tilt - h * (1 - u * u)))
            lower.append((cx + u * w, cy + tilt + 0.75 * h * (1 - u * u)))
        b.add(f"eye_{side}", upper + lower[::-1])
        shut = [(0.0, (1 - (-1 + i / 3) ** 2) * h) for i in range(7)]
        b.move(f"eye_{side}", "blink", [*shut, *[(0.0, -0.3 * y) for _, y in shut]])
        for name, radius in (("iris", 0.098), ("pupil", 0.048)):
            ring = ellipse((cx, cy - 0.01), radius, min(radius, h * 0.98), 10)
            b.add(f"{name}_{side}", ring)
            b.move(f"{name}_{side}", "gaze", [(0.07, 0.0)] * len(ring))
            b.move(f"{name}_{side}", "blink", [(0.0, (cy - y) * 0.9) for _, y in ring])
        thick = 0.035
        lid = [*upper, *[(x, y - thick) for x, y in reversed(upper)]]
        b.add(f"lid_{side}", lid)
        b.move(f"lid_{side}", "blink", [*shut, *shut[::-1]])


def _brows(b: _Builder, s: dict[str, float]) -> None:
    for side, sign in (("l", -1.0), ("r", 1.0)):
        cx, cy = sign * (s["eye_gap"] + 0.02), s["eye_y"] - s["brow_gap"] - s["brow_thick"] / 2
        top: list[Point] = []
        bottom: list[Point] = []
        for i in range(5):
            u = -1 + i / 2
            outward = u * sign
            y = cy - s["brow_tilt"] * outward - s["brow_arch"] * (1 - u * u)
            half = s["brow_thick"] * (0.55 - 0.25 * outward)
            top.append((cx + u * 0.26, y - half))
            bottom.append((cx + u * 0.26, y + half))
        b.add(f"brow_{side}", top + bottom[::-1])
        b.move(f"brow_{side}", "raise", [(0.0, -0.09)] * 10)


def _nose(b: _Builder, s: dict[str, float]) -> None:
    top, tip, w = s["eye_y"] + 0.08, s["eye_y"] + 0.08 + s["nose_length"], s["nose_width"]
    b.add("nose_side", [(0.05, top), (w * 0.55, tip - 0.09), (w, tip), (0.03, tip + 0.02)], 0.86)
    wings = [(-w, tip), (-w * 0.6, tip + 0.05), (0.0, tip + 0.075), (w * 0.6, tip + 0.05), (w, tip)]
    b.add("nose_base", [*wings, (0.0, tip + 0.015)], 0.84)


def _mouth(b: _Builder, s: dict[str, float]) -> None:
    cy, w, full = s["mouth_y"], s["mouth_width"], s["lip_full"]
    us = [-1 + i / 4 for i in range(9)]
    seam = [(u * w, cy) for u in us]
    cupid = [full * (1 - u * u) * (1.0 - 0.25 * math.exp(-((u / 0.22) ** 2))) for u in us]
    top = [(u * w, cy - rise) for u, rise in zip(us, cupid, strict=True)]
    low = [(u * w, cy + 1.25 * full * (1 - u * u)) for u in us]
    smile = [(0.12 * u * w / 0.33, 0.06 - 0.13 * u * u) for u in us]
    drop = [(0.0, 0.17 * (1 - u * u)) for u in us]
    still = [(0.0, 0.0)] * 9
    for name, first, second, falls in (
        ("lip_low", seam, low, (still, drop)),
        ("teeth", seam, seam, (still, drop)),
        ("lip_top", seam, top, (still, still)),
    ):
        b.add(name, first + second[::-1])
        b.move(name, "smile", smile + smile[::-1])
        b.move(name, "open", falls[0] + falls[1][::-1])


def _hair(b: _Builder, t: Traits) -> None:
    s, vol = t.shape, t.shape["hair_volume"]
    if t.style == "bald":
        return
    back = {"long": 1.75, "wavy": 1.55, "bob": 0.95, "tied": 0.2}.get(t.style, 0.1)
    wide = 1.0 + vol + (0.14 if t.style in ("wavy", "curly") else 0.05)
    turns = [math.pi + math.pi * i / 12 for i in range(13)]
    arch = [(wide * math.cos(a), (s["crown"] + vol) * math.sin(a)) for a in turns]
    sway = 0.10 if t.style == "wavy" else -0.02
    sides = [(wide + sway, 0.4 * back), (wide + 0.5 * sway, 0.8 * back), (wide * 0.8, back)]
    left = [(-x, y) for x, y in reversed(sides)]
    b.add("hair_back", [*arch, *sides, *left], -0.25)
    if t.style == "tied":
        b.add("bun", ellipse((s["part"], -s["crown"] - vol - 0.06), 0.34, 0.27), -0.4)
    b.add("hair_front", [*arch, *_hairline(t)], 0.22)


def _hairline(t: Traits) -> list[Point]:
    """The lower edge of the hair on the forehead, from the right temple to the left one."""
    s, line = t.shape, t.shape["hair_line"]
    temple = {"cropped": -0.35, "short": -0.15, "parted": -0.12}.get(t.style, 0.05)
    points = [(1.0, temple), (0.93, temple - 0.25)]
    for i in range(9):
        u = 0.85 - 1.7 * i / 8
        y = -line - 0.10 * (1 - u * u)
        if t.style in ("parted", "long", "wavy", "tied"):
            y += 0.30 * min(1.0, abs(u - s["part"])) - 0.10
        if t.style == "curly":
            y += 0.05 * (-1) ** i
        points.append((u, y + (0.24 if t.fringe else 0.0)))
    return [*points, (-0.93, temple - 0.25), (-1.0, temple)]


def _beard(b: _Builder, t: Traits) -> None:
    s, my = t.shape, t.shape["mouth_y"]
    if t.beard in ("moustache", "goatee", "full"):
        w = s["mouth_width"] * 1.15
        bow = [(-w, my), (-w * 0.6, my - 0.16), (0, my - 0.13), (w * 0.6, my - 0.16), (w, my)]
        b.add("moustache", [*bow, (0, my - 0.05)])
    if t.beard == "goatee":
        b.add("beard", ellipse((0, my + 0.36), 0.27, 0.24, 10))
    if t.beard in ("stubble", "full"):
        rim = [p for p in outline(s) if p[1] > 0.12]
        rim.sort(key=lambda p: math.atan2(p[1], p[0]))
        inner = [
            (-0.72, 0.30),
            (-0.50, my - 0.12),
            (0.0, my - 0.20),
            (0.50, my - 0.12),
            (0.72, 0.30),
        ]
        b.add("beard", rim + inner)


def _extras(b: _Builder, t: Traits, face_seed: int) -> None:
    s = t.shape
    for i, (x, y, r) in enumerate(t.moles):
        b.add(f"mole_{i}", ellipse((x, y), r, r, 7))
    if t.freckles:
        for i in range(10):
            x = 0.22 + 0.11 * (i % 5) + 0.013 * ((face_seed * 7 + i * 5) % 9)
            y = 0.17 + 0.025 * ((face_seed + i * 3) % 8)
            b.add(f"freckle_{i}", ellipse((x if i < 5 else -x, y), 0.026, 0.026, 5))
    if t.scar is not None:
        x, y = t.scar
        b.add("scar", [(x, y), (x + 0.03, y), (x + 0.13, y + 0.28), (x + 0.09, y + 0.28)])
    if t.glasses != "none":
        rx, ry = (0.33, 0.30) if t.glasses == "round" else (0.35, 0.24)
        for side, sign in (("l", -1.0), ("r", 1.0)):
            cx, cy = sign * (s["eye_gap"] + 0.01), s["eye_y"] + 0.03
            corners = [(-rx, -ry), (rx, -ry), (rx * 0.9, ry), (-rx * 0.9, ry)]
            rim = [(cx + x, cy + y) for x, y in corners]
            if t.glasses == "round":
                rim = ellipse((cx, cy), rx, ry, 16)
            b.add(f"glass_{side}", rim, 0.62)
        inner = s["eye_gap"] + 0.01 - rx
        b.add("bridge", [(-inner, s["eye_y"]), (inner, s["eye_y"])], 0.70)


@lru_cache(maxsize=4096)
def person_face(face_seed: int, sex: str) -> Face:
    """The polygons of one person's face."""
    t = person_traits(face_seed, sex)
    b = _Builder()
    b.add("face", outline(t.shape), 0.0)
    b.add("front", outline(t.shape, grow=-0.07), 0.10)
    for side, sign in (("l", -1.0), ("r", 1.0)):
        size = t.shape["ear_size"]
        b.add(f"ear_{side}", ellipse((sign * 1.0, t.shape["ear_y"]), size * 0.55, size, 12), -0.2)
    _eyes(b, t.shape)
    _brows(b, t.shape)
    _nose(b, t.shape)
    _mouth(b, t.shape)
    _hair(b, t)
    _beard(b, t)
    _extras(b, t, face_seed)
    return b.face()
