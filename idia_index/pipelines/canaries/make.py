"""Makes canaries: people, a coin for each, a training set of those put in, and a seal."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from idia_index.errors import InputError, RefusedError
from idia_index.pipelines.canaries.layouts import WRITERS, Pair, write_plain
from idia_index.pipelines.canaries.people import (
    CanaryPerson,
    canary_names,
    check_names,
    photographed,
    rendered,
)
from idia_index.pipelines.canaries.records import (
    AUDITOR,
    KEY,
    LAYOUTS,
    MANIFEST,
    MANIFEST_FORMAT,
    PEOPLE,
    TRAIN,
    Assignment,
    Canary,
    CanarySet,
    Layout,
    Manifest,
)
from idia_index.support.documents import to_object
from idia_index.support.files import private_folder, write_whole
from idia_index.support.seal import seal, write_key
from idia_index.support.text import json_text, shown_path
from idia_index.types import StageProgress

FEWEST = 10
PROBES = 10


@dataclass(frozen=True)
class MakeOptions:
    """Options for making canaries.

    Attributes:
        people: number of canaries.
        images: training images per canary; several numbers are used in turn.
        seed: seed of names, faces and captions, never of the coins.
        layout: layout of the training set.
        probes: further images of each rendered canary, only for the audit.
        names: file of the names to use; None: made up.
        members: members.csv that must not contain any of them.
        photos: folder with a folder of photos for each person; None: rendered.
        consent: what these people agreed to.
        templates: captions with {0} or {name}; None: the controlled study's, for rendered people.
    """

    people: int
    images: tuple[int, ...]
    seed: int
    layout: Layout = "folder"
    probes: int = PROBES
    names: Path | None = None
    members: Path | None = None
    photos: Path | None = None
    consent: str | None = None
    templates: Path | None = None

    def __post_init__(self) -> None:
        if self.people < FEWEST:
            raise InputError(f"--people {self.people}: pass at least {FEWEST}; fewer prove nothing")
        if not self.images or min(self.images) < 1 or self.probes < 0 or self.seed < 0:
            raise InputError(
                f"--images {','.join(map(str, self.images))}, --probes {self.probes}, --seed "
                f"{self.seed}: pass integers, at least 1 image and none negative"
            )
        if self.layout not in LAYOUTS:
            raise InputError(f"--layout {self.layout!r}: choose one of {', '.join(LAYOUTS)}")
        if self.photos is not None and not (self.consent and self.templates):
            raise InputError(
                f"--photos {shown_path(self.photos)}: state with --consent what the people in the "
                "photos agreed to, and pass captions in the model's style with --templates FILE"
            )


def make_canaries(
    out: Path, options: MakeOptions, progress: StageProgress, toss: Callable[[], bool] | None = None
) -> Manifest:
    """Writes OUT/train for training, OUT/manifest.json for everyone, OUT/auditor for the auditor.

    Args:
        out: a new or empty folder.
        options: the options.
        toss: a fair coin; None: the operating system's randomness, which no seed repeats.

    Raises:
        InputError: names occur elsewhere, there are too few photos, or `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RefusedError(f"{shown_path(out)}: is not empty; choose a new folder for the canaries")
    toss = toss or (lambda: bool(secrets.randbits(1)))
    people = _people(options)
    private_folder(out / AUDITOR / PEOPLE)
    canaries, pairs = [], []
    for number, person in enumerate(people):
        progress("making canaries", number, len(people))
        files, training = _write_person(out / AUDITOR / PEOPLE / f"{number:05d}", person)
        included = toss()
        canaries.append(Canary(person.name, f"{number:05d}", len(person.training), included, files))
        pairs += training if included else []
    # In an order that does not reveal which images belong together.
    secrets.SystemRandom().shuffle(pairs)
    WRITERS[options.layout](pairs, out / TRAIN)
    return _seal(out, options, canaries, len(pairs))


def _people(options: MakeOptions) -> list[CanaryPerson]:
    names = canary_names(options.people, options.seed, options.names)
    check_names([name for name, _ in names], options.members)
    images = [options.images[i % len(options.images)] for i in range(options.people)]
    if options.photos is None:
        return rendered(names, images, options.probes, options.seed, options.templates)
    assert options.templates is not None
    return photographed(options.photos, names, images, options.seed, options.templates)


def _write_person(folder: Path, person: CanaryPerson) -> tuple[dict[str, str], list[Pair]]:
    """Writes all photos of a canary; their SHA-256 by file name, and the training pairs."""
    private_folder(folder)
    files, pairs = {}, []
    for kind, photos in (("train", person.training), ("probe", person.probes)):
        for number, photo in enumerate(photos):
            png, name = _png(photo.image()), f"{kind}-{number:03d}.png"
            write_plain(folder / name, png)
            files[name] = hashlib.sha256(png).hexdigest()
            if kind == "train":
                pairs.append(Pair(png, photo.caption))
    return files, pairs


def _png(image: Image.Image) -> bytes:
    """Only the pixels, without the camera's metadata."""
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _seal(out: Path, options: MakeOptions, canaries: Sequence[Canary], pairs: int) -> Manifest:
    made = CanarySet(
        format=MANIFEST_FORMAT,
        people=options.people,
        images=options.images,
        seed=options.seed,
        source="rendered" if options.photos is None else "photos",
        consent=options.consent,
        layout=options.layout,
        pairs=pairs,
        captions="study" if options.templates is None else options.templates.name,
        checked_against=None if options.members is None else options.members.name,
    )
    given, key = seal(to_object(made), to_object(Assignment(tuple(canaries))))
    names = "".join(f"{canary.name}\n" for canary in canaries)
    write_whole(out / AUDITOR / "names.txt", names.encode("utf-8"))
    write_key(out / AUDITOR / KEY, key)
    manifest = Manifest(made, given)
    text = json_text(to_object(manifest), indent=1)
    write_whole(out / MANIFEST, text.encode("utf-8"))
    return manifest
