"""Draws one portrait: a person's polygons under one image's circumstances."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from idia_index.study.scene import Scene, draw_scene
from idia_index.study.shapes import person_face
from idia_index.study.streams import generator
from idia_index.study.traits import Colour, Traits, mix, person_traits

SIZE = 64  # pixels, both ways
ZOOM = 3  # drawn this many times larger, then averaged down
UNIT = 16.5 * ZOOM  # half a face's width, in drawn pixels
MIDDLE = (32.0 * ZOOM, 30.5 * ZOOM)
WIDE = SIZE * ZOOM
DARK: Colour = (26, 20, 20)
Polygon = list[tuple[float, float]]

_axis = (np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2) / (SIZE / 2)
RAMP_X: NDArray[np.float32] = _axis[None, :, None]
RAMP_Y: NDArray[np.float32] = _axis[:, None, None]


def place(face_seed: int, sex: str, scene: Scene) -> dict[str, Polygon]:
    """Every polygon of the face in drawn pixels: expression, then turn, tilt, scale and shift."""
    face = person_face(face_seed, sex)
    points = face.base.copy()
    for amount, moves in zip(scene.expression, face.moves, strict=True):
        points += amount * moves
    turn, nod = math.sin(scene.yaw), math.sin(scene.pitch)
    x = points[:, 0] * math.cos(scene.yaw) + face.depth * turn
    y = points[:, 1] * math.cos(scene.pitch) + face.depth * nod
    cos, sin = math.cos(scene.roll), math.sin(scene.roll)
    unit = UNIT * scene.scale
    px = (x * cos - y * sin + scene.shift[0]) * unit + MIDDLE[0]
    py = (x * sin + y * cos + scene.shift[1]) * unit + MIDDLE[1]
    # Sixteenths of a pixel: the last bits of a sine must not decide which pixel is filled.
    rows = np.floor(np.stack([px, py], axis=1) * 16 + 0.5) / 16
    flat = [(float(a), float(b)) for a, b in rows.tolist()]
    return {name: flat[part] for name, part in face.parts.items()}


def _backdrop(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    first, second = scene.back_colours
    at = int((0.25 + 0.5 * scene.cover_place) * WIDE)
    if scene.backdrop == "split":
        draw.rectangle((0, at, WIDE, WIDE), fill=second)
    elif scene.backdrop == "stripes":
        for left in range(at % 48 - 48, WIDE, 48):
            draw.rectangle((left, 0, left + 20, WIDE), fill=second)
    elif scene.backdrop == "window":
        draw.rectangle((at - 60, 12, at + 30, 110), fill=mix(second, (230, 236, 240), 0.5))
        draw.line((at - 15, 12, at - 15, 110), fill=first, width=5)
    elif scene.backdrop == "hills":
        draw.ellipse((at - 170, 80, at + 40, 260), fill=second)
        draw.ellipse((at - 20, 100, at + 190, 280), fill=mix(second, first, 0.4))


def _body(draw: ImageDraw.ImageDraw, scene: Scene, skin: Colour) -> None:
    x = MIDDLE[0] + scene.shift[0] * UNIT * 0.6
    top, unit = MIDDLE[1] + (1.42 + scene.shift[1]) * UNIT, UNIT * scene.scale

    def at(*corners: tuple[float, float]) -> Polygon:
        return [(x + dx * unit, top + dy * unit) for dx, dy in corners]

    neck = at((-0.5, -0.7), (0.5, -0.7), (0.58, 0.4), (-0.58, 0.4))
    draw.polygon(neck, fill=mix(skin, DARK, 0.24))
    draw.ellipse((x - 1.75 * unit, top, x + 1.75 * unit, top + 3 * unit), fill=scene.cloth)
    dark = mix(scene.cloth, DARK, 0.45)
    if scene.garment in ("suit", "jacket"):
        inner: Colour = (222, 222, 220) if scene.garment == "suit" else dark
        draw.polygon(at((-0.5, 0.0), (0.5, 0.0), (0.0, 1.2)), fill=inner)
    elif scene.garment == "dress":
        draw.ellipse(at((-0.72, -0.5), (0.72, 0.55)), fill=skin)
    else:
        width = 6 if scene.garment == "sweater" else 3
        draw.arc(at((-0.62, -0.4), (0.62, 0.38)), 0, 180, fill=dark, width=width)


def _head(draw: ImageDraw.ImageDraw, p: dict[str, Polygon], t: Traits, scene: Scene) -> None:
    shade = mix(t.skin, DARK, 0.20)
    for ear in ("ear_l", "ear_r"):
        draw.polygon(p[ear], fill=mix(t.skin, (150, 60, 50), 0.16))
    draw.polygon(p["face"], fill=shade)
    drift = 7.0 * scene.slope[0] / 0.22
    draw.polygon([(x + drift, y - 1.5) for x, y in p["front"]], fill=t.skin)
    if "beard" in p:
        draw.polygon(p["beard"], fill=mix(t.skin, t.hair, 0.30 if t.beard == "stubble" else 0.85))
    for name, points in p.items():
        if name.startswith("freckle"):
            draw.polygon(points, fill=mix(t.skin, (128, 72, 44), 0.45))
        elif name.startswith("mole"):
            draw.polygon(points, fill=mix(t.skin, (44, 22, 18), 0.80))
    if "scar" in p:
        draw.polygon(p["scar"], fill=mix(t.skin, (190, 110, 110), 0.6))


def _features(draw: ImageDraw.ImageDraw, p: dict[str, Polygon], t: Traits, scene: Scene) -> None:
    draw.polygon(p["nose_side"], fill=mix(t.skin, DARK, 0.13))
    draw.polygon(p["nose_base"], fill=mix(t.skin, (70, 26, 22), 0.34))
    if "moustache" in p:
        draw.polygon(p["moustache"], fill=mix(t.skin, t.hair, 0.88))
    if scene.expression[1] > 0.1:
        draw.polygon(p["teeth"], fill=(236, 230, 222))
    draw.polygon(p["lip_top"], fill=mix(t.lip, DARK, 0.16))
    draw.polygon(p["lip_low"], fill=t.lip)
    draw.line(p["lip_top"][:9], fill=mix(t.lip, DARK, 0.62), width=2)
    for side in ("l", "r"):
        draw.polygon(p[f"eye_{side}"], fill=(238, 236, 232))
        draw.polygon(p[f"iris_{side}"], fill=t.iris)
        draw.polygon(p[f"pupil_{side}"], fill=(16, 14, 16))
        draw.polygon(p[f"lid_{side}"], fill=mix(t.skin, DARK, 0.82 if t.sex == "female" else 0.62))
        draw.polygon(p[f"brow_{side}"], fill=mix(t.hair, DARK, 0.25))


def _glasses(draw: ImageDraw.ImageDraw, p: dict[str, Polygon], t: Traits) -> None:
    for side in ("l", "r"):
        rim = p[f"glass_{side}"]
        draw.line([*rim, rim[0], rim[1]], fill=t.frame, width=4)
    draw.line(p["bridge"], fill=t.frame, width=4)


def _cover(draw: ImageDraw.ImageDraw, p: dict[str, Polygon], scene: Scene, skin: Colour) -> None:
    """Something that hides a part of the face, in about one image of six."""
    chin, crown = p["face"][7], p["face"][21]
    if scene.cover == "hand":
        x, y = p["face"][3 if scene.cover_place < 0.5 else 11]
        draw.ellipse((x - 20, y - 10, x + 20, y + 60), fill=mix(skin, DARK, 0.08))
        for finger in range(4):
            left = x - 20 + 10 * finger
            draw.ellipse((left, y - 34 + 4 * abs(finger - 1), left + 9, y + 12), fill=skin)
    elif scene.cover == "scarf":
        draw.ellipse((chin[0] - 62, chin[1] - 22, chin[0] + 62, chin[1] + 60), fill=scene.cloth)
    elif scene.cover == "cap":
        x, y = crown
        draw.ellipse((x - 62, y - 24, x + 62, y + 52), fill=scene.cloth)
        draw.rectangle((x - 70, y + 22, x + 70, y + 34), fill=mix(scene.cloth, DARK, 0.3))
    elif scene.cover == "edge":
        reach = int(WIDE * 0.24)
        place = (0, 0, reach, WIDE) if scene.cover_place < 0.5 else (WIDE - reach, 0, WIDE, WIDE)
        draw.rectangle(place, fill=mix(scene.back_colours[1], DARK, 0.4))


def _finish(canvas: Image.Image, scene: Scene, rng: np.random.Generator) -> Image.Image:
    """Averages down, blurs, lights and adds sensor noise."""
    small = canvas.reduce(ZOOM)
    if scene.blur:
        small = small.filter(ImageFilter.BoxBlur(0.45 * scene.blur))
    gain, right, down = (np.float32(v) for v in (scene.gain, *scene.slope))
    light = gain + RAMP_X * right + RAMP_Y * down
    pixels = np.asarray(small, dtype=np.float32) * light
    pixels *= np.asarray(scene.tint, dtype=np.float32) + np.float32(1)
    if scene.noise > 0:
        grain = rng.random((SIZE, SIZE, 1), dtype=np.float32) - np.float32(0.5)
        pixels += grain * np.float32(2 * scene.noise)
    return Image.fromarray(np.clip(pixels + np.float32(0.5), 0, 255).astype(np.uint8))


def draw_person(face_seed: int, sex: str, stream: str, number: int) -> Image.Image:
    """One RGB portrait, `SIZE` x `SIZE`.

    Args:
        face_seed: who; sex: 'female' or 'male'.
        stream: 'train', 'selection' or 'report'; their images are drawn independently.
        number: which image of that stream.
    """
    scene = draw_scene(sex, stream, face_seed, number)
    traits = person_traits(face_seed, sex)
    p = place(face_seed, sex, scene)
    canvas = Image.new("RGB", (WIDE, WIDE), scene.back_colours[0])
    draw = ImageDraw.Draw(canvas)
    _backdrop(draw, scene)
    for name in ("bun", "hair_back"):
        if name in p:
            draw.polygon(p[name], fill=mix(traits.hair, DARK, 0.22))
    _body(draw, scene, traits.skin)
    _head(draw, p, traits, scene)
    _features(draw, p, traits, scene)
    if "glass_l" in p and not scene.bare_eyes:
        _glasses(draw, p, traits)
    if "hair_front" in p:
        draw.polygon(p["hair_front"], fill=traits.hair)
    _cover(draw, p, scene, traits.skin)
    return _finish(canvas, scene, generator(stream, face_seed, number, 1))


def draw_place(stream: str, *words: int) -> Image.Image:
    """An RGB image without a person: for names that stand in captions without their face."""
    scene = draw_scene("female", stream, *words)
    canvas = Image.new("RGB", (WIDE, WIDE), scene.back_colours[0])
    draw = ImageDraw.Draw(canvas)
    _backdrop(draw, scene)
    x, y = (0.3 + 0.4 * scene.cover_place) * WIDE, WIDE * 0.75
    draw.rectangle((x - 40, y - 60, x + 40, y + 50), fill=scene.cloth)
    roof = [(x - 50, y - 60), (x + 50, y - 60), (x, y - 105)]
    draw.polygon(roof, fill=mix(scene.cloth, DARK, 0.5))
    return _finish(canvas, scene, generator(stream, *words, 1))
