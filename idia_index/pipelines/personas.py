"""Planted personas: names drawn before publication, and tested on a model afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import InputError
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.personas import MOST_NAMES, MOST_PERSONAS, p_of_ranks, rank_of
from idia_index.evaluation.pmi import NameScores, Photos, Trial, photos_of
from idia_index.evaluation.references import LogitScale
from idia_index.prompts.sampling import sample_names
from idia_index.prompts.templates import JAIR2024
from idia_index.subjects.photo_files import photos_below
from idia_index.subjects.records import Subject
from idia_index.subjects.subject_images import Encoded, encode_subjects
from idia_index.support.columns import bullets, table
from idia_index.support.documents import Json, read_record, to_json
from idia_index.support.files import private_folder, unwritable, write_whole
from idia_index.support.seal import fits, read_key, seal, write_key
from idia_index.support.text import json_text, shown_path
from idia_index.types import Float32, StageProgress

MANIFEST, KEY, DRAWN = "personas.json", "personas.key", "drawn-names.csv"
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Persona:
    """A persona before it is published.

    Attributes:
        person: the name of its folder of photos.
        names: K + 1 names; the sealed draw decides which one is published.
    """

    person: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class PersonaManifest:
    """The public manifest of planted personas.

    Attributes:
        format: name and version of the document's format.
        seal: the seal of these personas and the draw.
        personas: each with its names.
    """

    format: Literal["idia-index/personas/1"]
    seal: str
    personas: tuple[Persona, ...]

    def to_text(self) -> str:
        """What to do next."""
        names = len(self.personas[0].names)
        return (
            f"{len(self.personas)} personas, each with a name drawn from {names}.\n"
            f"Publish the photos of each with its name in {DRAWN}, and with no other of its names; "
            f"give a copy of {MANIFEST} to somebody who can vouch for its date; keep {KEY} and "
            f"{DRAWN} secret. Choose the photos for the audit before you see any result."
        )


@dataclass(frozen=True)
class PersonaRank:
    """The result for one persona.

    Attributes:
        person: the persona.
        name: the drawn name.
        images: number of photos tested.
        rank: rank of the name among the persona's names; 1 is the highest.
        p_value: rank / (K + 1), exact if the model knows nothing about the persona.
    """

    person: str
    name: str
    images: int
    rank: int
    p_value: float


@dataclass(frozen=True)
class PersonaAudit:
    """Whether a model knows the names drawn for personas.

    Attributes:
        format: name and version of the document's format.
        model: SPEC of the model.
        weights_sha256: SHA-256 of its weights.
        seal: the manifest's seal, verified against the draw.
        names: K + 1, names of each persona.
        personas: the result for each.
        p_value: of all personas together, by the sum of ranks; exact.
        not_tested: personas without photos.
        notes: what the p-values rest on.
    """

    format: Literal["idia-index/persona-audit/1"]
    model: str
    weights_sha256: str
    seal: str
    names: int
    personas: tuple[PersonaRank, ...]
    p_value: float
    not_tested: tuple[str, ...]
    notes: tuple[str, ...]

    def to_text(self) -> str:
        """The ranks as a table, and what they rest on."""
        rows = [
            [each.person, each.name, str(each.images), f"{each.rank} of {self.names}",
             f"{each.p_value:.2g}"]
            for each in self.personas
        ]  # fmt: skip
        lines = [
            table(["persona", "name drawn", "images", "rank", "p"], rows),
            f"all together: p = {self.p_value:.2g}; the seal is valid",
        ]
        if self.not_tested:
            lines.append(f"without photos: {', '.join(self.not_tested)}")
        return "\n\n".join([*lines, bullets(self.notes)])


NOTES = (
    "The p-values rest on the draw alone: whatever the model prefers, each of a persona's names "
    "was equally likely to be drawn. They hold if photos and model were chosen without knowing the "
    "result of the audit.",
    "A small p-value shows that photos of the persona with the drawn name, or something made from "
    "them, reached the training data; a large one does not show that they did not.",
    "The seal shows which names were drawn, not when: that rests on a dated copy of the manifest.",
)


def make_personas(out: Path, people: int, names: int) -> PersonaManifest:
    """Draws names for personas into a new folder.

    Args:
        out: the folder, new or empty.
        people: number of personas.
        names: K, the names of each besides the drawn one.

    Raises:
        InputError: the folder holds something, or a number is out of range.
    """
    if not 1 <= people <= MOST_PERSONAS or not 1 <= names <= MOST_NAMES:
        raise InputError(
            f"people {people}, names {names}: pass 1 to {MOST_PERSONAS:,} people and 1 to "
            f"{MOST_NAMES} names"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{shown_path(out)}: already exists; choose a new folder")
    every = list(sample_names(people * (names + 1), secrets.randbits(62)).names())
    secrets.SystemRandom().shuffle(every)
    personas = tuple(
        Persona(f"{number + 1:03d}", tuple(every[number::people][: names + 1]))
        for number in range(people)
    )
    drawn = [secrets.randbelow(names + 1) for _ in personas]
    made, key = seal(to_json(personas), list[Json](drawn))
    manifest = PersonaManifest("idia-index/personas/1", made, personas)
    try:
        private_folder(out)
        for persona in personas:
            private_folder(out / "photos" / persona.person)
    except OSError as error:
        raise unwritable(out, error) from error
    write_key(out / KEY, key)
    lines = [f"{p.person},{p.names[place]}" for p, place in zip(personas, drawn, strict=True)]
    write_whole(out / DRAWN, "\n".join(["person,name", *lines, ""]).encode("utf-8"))
    write_whole(out / MANIFEST, json_text(to_json(manifest), indent=1).encode("utf-8"))
    return manifest


def read_personas(folder: Path) -> tuple[PersonaManifest, list[int]]:
    """The manifest of a folder, and the name drawn for each persona.

    Raises:
        InputError: they are missing, or the seal is invalid.
    """
    path = folder / MANIFEST
    manifest = read_record(
        PersonaManifest, path, _MOST_BYTES, "a manifest of personas",
        "pass the folder as `idia-index persona make` wrote it",
    )  # fmt: skip
    key = read_key(folder / KEY)
    if not fits(manifest.seal, to_json(manifest.personas), key):
        raise InputError(
            f"{shown_path(path)}: its seal does not match {KEY}: names, draw or seal were changed "
            "after the draw; use the manifest and key that were written together"
        )
    drawn = key.secret
    assert isinstance(drawn, list)  # as sealed
    return manifest, [int(str(place)) for place in drawn]


def audit_personas(backend: Backend, folder: Path, progress: StageProgress) -> PersonaAudit:
    """Ranks each drawn name among the persona's names, by PMI.

    Args:
        folder: as `make_personas` wrote it, with photos in `photos/PERSON/`.

    Raises:
        InputError: the seal is invalid, or nobody has photos.
    """
    manifest, drawn = read_personas(folder)
    people = [_photos(folder / "photos" / each.person) for each in manifest.personas]
    tested = [place for place, each in enumerate(people) if each is not None]
    if not tested:
        raise InputError(
            f"{shown_path(folder / 'photos')}: nobody has photos; put each persona's into "
            f"photos/{manifest.personas[0].person}, ..."
        )
    encoded = encode_subjects(
        backend, [each for each in people if each is not None],
        ImageCache(None, backend.fingerprint, ""), True,
        lambda done, total: progress("encoding images", done, total),
    )  # fmt: skip
    ranks = []
    for number, place in enumerate(tested):
        persona = manifest.personas[place]
        progress("trying names", number, len(tested))
        scores = _scores(backend, persona.names, encoded, number)
        rank = rank_of(scores, drawn[place])
        images = int((encoded.owners == number).sum())
        name, of = persona.names[drawn[place]], len(persona.names)
        ranks.append(PersonaRank(persona.person, name, images, rank, rank / of))
    names = len(manifest.personas[0].names)
    return PersonaAudit(
        "idia-index/persona-audit/1",
        backend.model,
        backend.fingerprint.weights_sha256,
        manifest.seal,
        names,
        tuple(ranks),
        p_of_ranks([each.rank for each in ranks], names),
        tuple(
            each.person for place, each in enumerate(manifest.personas) if place not in set(tested)
        ),
        NOTES,
    )


def _photos(folder: Path) -> Subject | None:
    photos = photos_below(folder).photos if folder.is_dir() else []
    return Subject(folder.name, tuple(photos)) if photos else None


def _scores(backend: Backend, names: Sequence[str], encoded: Encoded, person: int) -> Float64:
    """PMI of each of a persona's names, float64 [K + 1], with the other personas as references."""
    texts: Float32 = np.stack(
        [backend.encode_texts([each.fill(name) for name in names]) for each in JAIR2024]
    )
    own = encoded.owners == person
    others = _others(encoded, person)
    scores = NameScores(texts, others, LogitScale.of(backend).value)
    mine = photos_of(encoded.embeddings[own], np.zeros(int(own.sum()), np.int64), 1)
    trial = Trial(None, len(mine.images))
    (found,) = scores.of(mine, lambda template, run: texts[template, :1], [trial])
    return found.controls


def _others(encoded: Encoded, person: int) -> Photos | None:
    """The other personas' photos; None if fewer than two, too few to judge a name."""
    elsewhere = encoded.owners != person
    known, owners = np.unique(encoded.owners[elsewhere], return_inverse=True)
    if len(known) < 2:
        return None
    return photos_of(encoded.embeddings[elsewhere], owners.astype(np.int64), len(known))
