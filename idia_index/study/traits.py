"""What makes a rendered person that person: traits that stay the same in every image.

Lengths are in units of half a face's width. A few traits are seen at a glance (hair, glasses,
beard), most are subtle: the distance of the eyes or the length of a nose differ by about a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from idia_index.study.streams import uniforms

Colour = tuple[int, int, int]

# name: (middle, greatest difference from it). Smaller differences make people more alike.
SHAPE: dict[str, tuple[float, float]] = {
    "jaw_taper": (0.26, 0.14),
    "jaw_square": (0.92, 0.18),
    "chin": (1.32, 0.10),
    "crown": (1.22, 0.05),
    "cheek": (0.02, 0.05),
    "eye_gap": (0.41, 0.055),
    "eye_y": (-0.10, 0.06),
    "eye_width": (0.205, 0.035),
    "eye_height": (0.105, 0.028),
    "eye_tilt": (0.02, 0.05),
    "brow_gap": (0.20, 0.05),
    "brow_thick": (0.065, 0.030),
    "brow_tilt": (-0.03, 0.05),
    "brow_arch": (0.05, 0.04),
    "nose_length": (0.42, 0.09),
    "nose_width": (0.17, 0.055),
    "mouth_y": (0.72, 0.055),
    "mouth_width": (0.33, 0.065),
    "lip_full": (0.085, 0.035),
    "ear_size": (0.22, 0.06),
    "ear_y": (0.06, 0.07),
    "hair_line": (0.72, 0.12),
    "hair_volume": (0.13, 0.07),
    "part": (0.00, 0.45),
}

# Seen as looks, and named by captions.
SKIN_STOPS: list[Colour] = [(246, 214, 190), (226, 184, 152), (196, 146, 112), (140, 95, 68)]
HAIR_STOPS: list[tuple[str, Colour]] = [
    ("black", (28, 24, 24)), ("dark brown", (62, 42, 32)), ("brown", (98, 66, 44)),
    ("auburn", (132, 72, 44)), ("blond", (196, 160, 100)), ("grey", (150, 148, 146)),
]  # fmt: skip
HAIR_SHARE = [0.20, 0.46, 0.70, 0.80, 0.92, 1.0]
EYE_STOPS: list[tuple[str, Colour]] = [
    ("brown", (82, 52, 34)), ("hazel", (112, 88, 48)), ("green", (84, 116, 84)),
    ("blue", (84, 122, 160)), ("grey", (112, 122, 130)),
]  # fmt: skip
EYE_SHARE = [0.50, 0.66, 0.78, 0.93, 1.0]
STYLES = {
    "female": [("long", 0.34), ("wavy", 0.58), ("bob", 0.82), ("tied", 1.0)],
    "male": [("short", 0.38), ("parted", 0.68), ("curly", 0.84), ("cropped", 0.94), ("bald", 1.0)],
}
BEARDS = [("none", 0.62), ("stubble", 0.78), ("moustache", 0.86), ("goatee", 0.92), ("full", 1.0)]
GLASSES = [("none", 0.80), ("round", 0.90), ("square", 1.0)]
FRAMES: list[Colour] = [(30, 28, 30), (96, 60, 36), (120, 120, 126), (120, 34, 40)]


@dataclass(frozen=True)
class Traits:
    """One person's looks. `shape` holds the lengths and ratios of `SHAPE`."""

    sex: str
    shape: dict[str, float]
    skin: Colour
    hair: Colour
    hair_word: str
    iris: Colour
    iris_word: str
    lip: Colour
    style: str
    beard: str
    glasses: str
    frame: Colour
    fringe: bool
    freckles: bool
    moles: tuple[tuple[float, float, float], ...]
    scar: tuple[float, float] | None


def pick(u: float, shares: list[tuple[str, float]]) -> str:
    """The first value whose cumulative share is above u."""
    return next(value for value, share in shares if u < share)


def mix(a: Colour, b: Colour, weight: float) -> Colour:
    """The colour that lies `weight` of the way from a to b."""
    r, g, bl = (int(x + (y - x) * weight + 0.5) for x, y in zip(a, b, strict=True))
    return (r, g, bl)


def _stop(u: float, shares: list[float]) -> int:
    return next(i for i, share in enumerate(shares) if u < share)


def _jitter(colour: Colour, u: float, reach: int) -> Colour:
    shift = (u - 0.5) * 2 * reach
    r, g, b = (max(0, min(255, int(c + shift))) for c in colour)
    return (r, g, b)


def _skin(u: float, v: float) -> Colour:
    place = u * (len(SKIN_STOPS) - 1)
    low = min(int(place), len(SKIN_STOPS) - 2)
    return _jitter(mix(SKIN_STOPS[low], SKIN_STOPS[low + 1], place - low), v, 6)


def _moles(u: list[float]) -> tuple[tuple[float, float, float], ...]:
    """None, one or two moles `(x, y, radius)` on the cheeks, chin or forehead; u holds 9."""
    count = 0 if u[0] < 0.5 else 1 if u[0] < 0.82 else 2
    moles = []
    for i in range(count):
        a, b, c, d = u[1 + 4 * i : 5 + 4 * i]
        x = (0.28 + 0.42 * a) * (1.0 if b < 0.5 else -1.0)
        moles.append((x, 0.15 + 0.75 * c - (0.75 if d < 0.2 else 0.0), 0.035 + 0.02 * d))
    return tuple(moles)


@lru_cache(maxsize=4096)
def person_traits(face_seed: int, sex: str) -> Traits:
    """The traits of one person, drawn from their seed and sex ('female' or 'male') alone."""
    u = [float(x) for x in uniforms("traits", 64, face_seed)]
    shape = {
        name: middle + reach * (2 * v - 1)
        for (name, (middle, reach)), v in zip(SHAPE.items(), u[:32], strict=False)
    }
    hair, eye = _stop(u[32], HAIR_SHARE), _stop(u[33], EYE_SHARE)
    skin = _skin(u[34], u[35])
    female = sex == "female"
    return Traits(
        sex=sex,
        shape=shape,
        skin=skin,
        hair=_jitter(HAIR_STOPS[hair][1], u[36], 12),
        hair_word=HAIR_STOPS[hair][0],
        iris=_jitter(EYE_STOPS[eye][1], u[37], 10),
        iris_word=EYE_STOPS[eye][0],
        lip=mix(skin, (170, 60, 66), (0.50 if female else 0.26) + 0.2 * u[38]),
        style=pick(u[39], STYLES[sex]),
        beard="none" if female else pick(u[40], BEARDS),
        glasses=pick(u[41], GLASSES),
        frame=FRAMES[int(u[42] * len(FRAMES))],
        fringe=female and u[43] < 0.4,
        freckles=u[44] < 0.15,
        moles=_moles(u[45:54]),
        scar=(0.3 + 0.3 * u[55], 0.2 + 0.5 * u[56]) if u[54] < 0.08 else None,
    )
