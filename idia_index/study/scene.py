"""What changes from image to image: pose, light, background, expression, clothes, blur, cover."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.study.streams import uniforms
from idia_index.study.traits import Colour

NAMED: dict[str, Colour] = {
    "red": (168, 56, 54), "blue": (60, 88, 146), "green": (70, 118, 84), "yellow": (212, 180, 88),
    "grey": (134, 136, 140), "black": (40, 40, 44), "white": (226, 224, 218),
    "brown": (126, 92, 66), "purple": (108, 78, 128), "orange": (206, 124, 66),
}  # fmt: skip
COLOUR_WORDS = tuple(NAMED)
GARMENTS = ("shirt", "jacket", "sweater", "suit", "dress")
BACKDROPS = ("plain", "split", "stripes", "window", "hills")
COVERS = ("none", "hand", "scarf", "cap", "edge")
COVER_SHARE = (0.82, 0.88, 0.93, 0.97, 1.0)


@dataclass(frozen=True)
class Scene:
    """One image's circumstances. Angles in radians, shifts and lengths in face half-widths."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    shift: tuple[float, float]
    expression: tuple[float, float, float, float, float]
    gain: float
    slope: tuple[float, float]
    tint: tuple[float, float, float]
    noise: float
    blur: int
    backdrop: str
    back_colours: tuple[Colour, Colour]
    back_word: str
    garment: str
    cloth: Colour
    cloth_word: str
    cover: str
    cover_place: float
    bare_eyes: bool


def _vary(colour: Colour, u: float) -> Colour:
    r, g, b = (max(0, min(255, int(c + (u - 0.5) * 44))) for c in colour)
    return (r, g, b)


def _signed(u: float, reach: float) -> float:
    return (2 * u - 1) * reach


def draw_scene(sex: str, stream: str, *words: int) -> Scene:
    """The circumstances of one image: stream 'train' or an attack set, words name the image."""
    u = [float(x) for x in uniforms(stream, 40, *words)]
    back = COLOUR_WORDS[int(u[0] * len(COLOUR_WORDS))]
    cloth = COLOUR_WORDS[int(u[1] * len(COLOUR_WORDS))]
    garments = GARMENTS if sex == "female" else GARMENTS[:4]
    return Scene(
        yaw=_signed(u[2], 0.30) + _signed(u[3], 0.14),
        pitch=_signed(u[4], 0.10),
        roll=_signed(u[5], 0.10) + _signed(u[6], 0.08),
        scale=1.0 + _signed(u[7], 0.11),
        shift=(_signed(u[8], 0.20), _signed(u[9], 0.16)),
        expression=(
            u[10] ** 1.5,
            max(0.0, u[11] * 1.6 - 0.6),
            max(0.0, u[12] - 0.55),
            _signed(u[13], 0.8),
            _signed(u[14], 0.8),
        ),
        gain=1.0 + _signed(u[15], 0.20),
        slope=(_signed(u[16], 0.22), _signed(u[17], 0.12)),
        tint=(_signed(u[18], 0.07), _signed(u[19], 0.03), _signed(u[20], 0.08)),
        noise=max(0.0, 12.0 * u[21] - 6.0),
        blur=0 if u[22] < 0.72 else 1 if u[22] < 0.97 else 2,
        backdrop=BACKDROPS[int(u[23] * len(BACKDROPS))],
        back_colours=(_vary(NAMED[back], u[24]), _vary(NAMED[back], 1.4 - 0.8 * u[24])),
        back_word=back,
        garment=garments[int(u[25] * len(garments))],
        cloth=_vary(NAMED[cloth], u[26]),
        cloth_word=cloth,
        cover=next(c for c, share in zip(COVERS, COVER_SHARE, strict=True) if u[27] < share),
        cover_place=u[28],
        bare_eyes=u[29] < 0.12,
    )
