"""Writes and reads the results file: the evidence, to evaluate again without model or index.

One `.npz` (no pickle) of the arrays of `Evidence`, with a member `meta` of JSON as UTF-8 bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from idia_index._version import __version__
from idia_index.decide.decision import decide
from idia_index.decide.results import AuditVotes, BackendSummary, SubjectVotes
from idia_index.decide.votes import count_votes
from idia_index.errors import InputError
from idia_index.evaluation.baselines import BlindScores
from idia_index.evaluation.choices import Choices
from idia_index.evaluation.evidence import Evidence, Origin
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.name_tests import ControlTests
from idia_index.evaluation.records.rates import Membership
from idia_index.evaluation.references import LogitScale
from idia_index.evaluation.settings import LeftOut
from idia_index.prompts.templates import Template, make_templates
from idia_index.store.manifest import Manifest
from idia_index.store.manifest_json import manifest_text, parse_manifest
from idia_index.subjects.reference_faces import FacesSummary
from idia_index.subjects.subjects import Skipped, Subject
from idia_index.support.documents import from_json, to_json
from idia_index.support.files import write_whole
from idia_index.support.text import shown

FORMAT = "idia-index/results/3"
FILE = "results.npz"
MAX_BYTES = 2 << 30  # unpacked: three million images in 21 prompts, without pairs of people
_HEADER = 256  # upper bound for bytes of a member besides its array

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class RecordedIndex:
    """The index in a results file: its manifest and the names that won or were tested.

    Attributes:
        path: the path of the index.
        manifest: its manifest.
        names: name by name id.
        size: number of candidates.
    """

    path: Path
    manifest: Manifest
    names: Mapping[int, str]
    size: int

    @property
    def templates(self) -> tuple[Template, ...]:
        """The T templates."""
        return make_templates(self.manifest.plan.templates)

    def name(self, name_id: int) -> str:
        """The candidate name of an id; raises KeyError if it was not stored."""
        return self.names[name_id]

    def __len__(self) -> int:
        return self.size


def write_results(evidence: Evidence, folder: Path) -> None:
    """Writes `results.npz` into an existing folder, atomically.

    Raises:
        InputError: it would be larger than `read_results` accepts; nothing is written.
    """
    meta = json.dumps(to_json(_meta(evidence))).encode("utf-8")
    arrays: dict[str, NDArray[np.generic]] = {"meta": np.frombuffer(meta, np.uint8)}
    for part, record in (
        ("measured", evidence.measured),
        ("controls", evidence.controls),
        ("blind", evidence.blind),
    ):
        for field in fields(record) if record is not None else ():
            value = getattr(record, field.name)
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{field.name}"] = _small(value)
    size = sum(array.nbytes + _HEADER for array in arrays.values())
    if size > MAX_BYTES:
        (folder / FILE).unlink(missing_ok=True)  # of another report than the files beside it
        raise InputError(
            f"{folder / FILE}: {size:,} bytes, more than the maximum of {MAX_BYTES:,}; the rest of "
            "the report is written: evaluate fewer people or images at a time"
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_whole(folder / FILE, buffer.getvalue())


def _small(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Name ids as int32, in half the space."""
    fits = values.dtype == np.int64 and (not values.size or abs(values).max() < 2**31)
    return values.astype(np.int32) if fits else values


@dataclass(frozen=True)
class _SubjectMeta:
    """A subject without its votes."""

    name: str
    membership: Membership | None
    training_count: int | None
    in_index: bool
    spellings: tuple[str, ...]
    rival_spellings: tuple[str, ...]
    images: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    person: str | None = None
    near_names: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class _Meta:
    """The content of a results file besides the arrays.

    Fields about control names are null if only labels are known.
    """

    format: str
    version: str
    index: Path
    manifest: str
    candidates: int
    names: Mapping[str, str]
    backend: BackendSummary
    tau: int
    seed: int
    origin: Origin
    image_sha256: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    calibrated: bool | None
    faces: FacesSummary | None
    logit_scale: float | None
    logit_scale_assumed: bool | None
    matched_on: tuple[tuple[str, ...], ...]
    subjects: tuple[_SubjectMeta, ...]
    choices: Choices | None = None


def _meta(evidence: Evidence) -> _Meta:
    audit = evidence.audit
    controls = evidence.controls
    ids = {r.name_id for r in audit.subjects}
    for result in audit.subjects:
        ids.update(winner for winner in result.winners.tolist() if winner >= 0)
    return _Meta(
        format=FORMAT,
        version=__version__,
        index=audit.index.path.resolve(),
        manifest=manifest_text(audit.index.manifest),
        candidates=len(audit.index),
        names={str(name_id): audit.index.name(name_id) for name_id in sorted(ids)},
        backend=audit.backend,
        tau=audit.tau,
        seed=evidence.seed,
        origin=evidence.origin,
        image_sha256=evidence.image_sha256,
        left_out=evidence.left_out,
        calibrated=controls.calibrated if controls else None,
        faces=controls.faces if controls else None,
        logit_scale=controls.scale.value if controls else None,
        logit_scale_assumed=controls.scale.assumed if controls else None,
        matched_on=controls.by if controls else (),
        subjects=tuple(_subject_meta(result) for result in audit.subjects),
        choices=evidence.choices,
    )


def _subject_meta(result: SubjectVotes) -> _SubjectMeta:
    subject = result.subject
    return _SubjectMeta(
        name=subject.name,
        membership=cast("Membership | None", subject.membership),
        training_count=subject.training_count,
        in_index=result.in_index,
        spellings=result.spellings,
        rival_spellings=result.rival_spellings,
        images=tuple(map(Path, subject.images)),
        skipped=result.skipped,
        person=subject.person,
        near_names=result.near_names,
    )


def read_results(path: Path) -> Evidence:
    """Reads a results file, or that of a report's folder.

    Raises:
        InputError: there is none, it is damaged, or it is of another format version.
    """
    file = path / FILE if path.is_dir() else path
    try:
        arrays = _arrays(file)
        meta = json.loads(arrays["meta"].tobytes().decode("utf-8"))
        if meta["format"] != FORMAT:
            raise InputError(
                f"{file}: format {shown(meta['format'])}, this version reads {FORMAT!r}; "
                "evaluate again, or use the version that wrote it"
            )
        return _evidence(arrays, from_json(_Meta, meta), file)
    except FileNotFoundError as error:
        raise InputError(
            f"{file}: no such file; pass a results.npz written by evaluate --out"
        ) from error
    except InputError:
        raise
    # A damaged zip, array or record may raise anything; every error is the file's fault.
    except Exception as error:
        raise InputError(
            f"{file}: not a results file, or damaged ({type(error).__name__}: {error}); "
            "evaluate again"
        ) from error


def _arrays(file: Path) -> Arrays:
    """The arrays of an npz file of acceptable size."""
    if not file.is_file():
        raise FileNotFoundError(file)
    with zipfile.ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"{size:,} bytes when unpacked, more than {MAX_BYTES:,}")
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _part(arrays: Arrays, part: str) -> dict[str, NDArray[np.generic]]:
    """Arrays of one record, with integers restored to their original type."""
    found = {}
    for name, value in arrays.items():
        if name.startswith(f"{part}."):
            found[name.removeprefix(f"{part}.")] = (
                value.astype(np.int64) if value.dtype == np.int32 else value
            )
    return found


def _evidence(arrays: Arrays, meta: _Meta, file: Path) -> Evidence:
    measured = Measured(**_part(arrays, "measured"))  # type: ignore[arg-type]
    if not len(measured) == len(meta.subjects) == len(measured.offsets) - 1:
        raise ValueError(f"{len(meta.subjects)} subjects, arrays of {len(measured)}")
    if measured.predictions.shape[1] != measured.offsets[-1]:
        raise ValueError(f"{measured.offsets[-1]} images, predictions of another number")
    blind = _part(arrays, "blind")
    index = RecordedIndex(
        meta.index,
        parse_manifest(meta.manifest, file),
        {int(name_id): name for name_id, name in meta.names.items()},
        meta.candidates,
    )
    results = tuple(
        _votes(measured, place, entry, meta.tau) for place, entry in enumerate(meta.subjects)
    )
    return Evidence(
        audit=AuditVotes(index, meta.backend, meta.tau, results),
        measured=measured,
        controls=_controls(arrays, meta),
        blind=BlindScores(**blind) if blind else None,  # type: ignore[arg-type]
        left_out=meta.left_out,
        seed=meta.seed,
        origin=meta.origin,
        image_sha256=meta.image_sha256,
        choices=meta.choices,
    )


def _controls(arrays: Arrays, meta: _Meta) -> ControlTests | None:
    if meta.calibrated is None or meta.logit_scale is None or meta.logit_scale_assumed is None:
        return None
    return ControlTests(
        **_part(arrays, "controls"),  # type: ignore[arg-type]
        calibrated=meta.calibrated,
        faces=meta.faces,
        scale=LogitScale(meta.logit_scale, meta.logit_scale_assumed),
        by=meta.matched_on,
    )


def _votes(measured: Measured, place: int, entry: _SubjectMeta, tau: int) -> SubjectVotes:
    here = measured.of(place)
    winners, counts, _ = count_votes(measured.predictions[:, here])
    name_id = int(measured.name_ids[place])
    return SubjectVotes(
        subject=Subject(
            entry.name,
            entry.images,
            entry.membership,
            entry.training_count,
            person=entry.person,
        ),
        name_id=name_id,
        in_index=entry.in_index,
        predictions=measured.predictions[:, here],
        similarities=measured.top[:, here],
        winners=winners,
        counts=counts,
        decision=decide(winners, name_id, tau),
        skipped=entry.skipped,
        spellings=entry.spellings,
        rival_spellings=entry.rival_spellings,
        near_names=entry.near_names,
    )
