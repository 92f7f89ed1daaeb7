"""The results file: what was measured, to be evaluated again without a model or an index.

One `.npz` (no pickle) of the arrays of `Evidence`, with a member `meta` of JSON as UTF-8 bytes.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index._version import __version__
from idia_index.decide.decision import decide
from idia_index.decide.results import AuditResult, SubjectResult
from idia_index.decide.votes import count_votes
from idia_index.errors import InputError
from idia_index.evaluation.baselines import BlindScores
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.name_tests import ControlTests
from idia_index.prompts.templates import Template, make_templates
from idia_index.store.manifest_json import Manifest, manifest_text, parse_manifest
from idia_index.subjects.subjects import Skipped, Subject
from idia_index.support.files import write_whole
from idia_index.support.text import shown

FORMAT = "idia-index/results/1"
FILE = "results.npz"
MAX_BYTES = 2 << 30  # unpacked: three million images in 21 prompts, without pairs of people
_HEADER = 256  # bytes of a member beside its array, and more

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class RecordedIndex:
    """What a results file keeps of the index: its manifest and the names that won or were asked.

    Attributes:
        path: where the index was.
        manifest: what it was built from.
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
        """The candidate name of an id; raises KeyError for one that was not kept."""
        return self.names[name_id]

    def __len__(self) -> int:
        return self.size


def write_results(evidence: Evidence, folder: Path) -> None:
    """Writes `results.npz` into an existing folder, whole or not at all.

    Raises:
        InputError: it would be larger than `read_results` reads; none is there then.
    """
    arrays: dict[str, NDArray[Any]] = {
        "meta": np.frombuffer(json.dumps(_meta(evidence)).encode("utf-8"), np.uint8)
    }
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
            f"{folder / FILE}: {size:,} bytes, more than the {MAX_BYTES:,} that can be read again; "
            "the rest of the report is written: evaluate fewer people or images at a time"
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_whole(folder / FILE, buffer.getvalue())


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """Name ids take half the room as int32; they are whole numbers either way."""
    fits = values.dtype == np.int64 and (not values.size or abs(values).max() < 2**31)
    return values.astype(np.int32) if fits else values


def _meta(evidence: Evidence) -> dict[str, Any]:
    audit = evidence.audit
    shown = {r.name_id for r in audit.subjects}
    for result in audit.subjects:
        shown.update(w for w in result.winners.tolist() if w >= 0)
    return {
        "format": FORMAT,
        "version": __version__,
        "index": os.fsdecode(audit.index.path.resolve()),
        "manifest": manifest_text(audit.index.manifest),
        "candidates": len(audit.index),
        "names": {str(name_id): audit.index.name(name_id) for name_id in sorted(shown)},
        "backend": audit.backend,
        "tau": audit.tau,
        "seed": evidence.seed,
        "origin": dict(evidence.origin),
        "left_out": [list(entry) for entry in evidence.left_out],
        "calibrated": evidence.controls.calibrated,
        "matched_on": [list(by) for by in evidence.controls.by],
        "subjects": [_subject_meta(result) for result in audit.subjects],
    }


def _subject_meta(result: SubjectResult) -> dict[str, Any]:
    subject = result.subject
    return {
        "name": subject.name,
        "membership": subject.membership,
        "training_count": subject.training_count,
        "in_index": result.in_index,
        "spellings": list(result.spellings),
        "images": [os.fsdecode(path) for path in subject.images],
        "skipped": [[os.fsdecode(s.path), s.reason] for s in result.skipped],
    }


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
        return _evidence(arrays, meta, file)
    except FileNotFoundError as error:
        raise InputError(
            f"{file}: there is no such file; give a results.npz that evaluate --out wrote"
        ) from error
    except InputError:
        raise
    # A damaged zip, array or record fails in many ways; each of them is the file's.
    except Exception as error:
        raise InputError(
            f"{file}: not a results file, or damaged ({type(error).__name__}: {error}); "
            "evaluate again"
        ) from error


def _arrays(file: Path) -> Arrays:
    """The arrays of an npz file, if it holds no more than it may."""
    if not file.is_file():
        raise FileNotFoundError(file)
    with zipfile.ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"{size:,} bytes when unpacked, more than {MAX_BYTES:,}")
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _part(arrays: Arrays, part: str) -> dict[str, NDArray[Any]]:
    """Arrays of one record; whole numbers as they were before they were made small."""
    found = {}
    for name, value in arrays.items():
        if name.startswith(f"{part}."):
            found[name.removeprefix(f"{part}.")] = (
                value.astype(np.int64) if value.dtype == np.int32 else value
            )
    return found


def _evidence(arrays: Arrays, meta: Mapping[str, Any], file: Path) -> Evidence:
    measured = Measured(**_part(arrays, "measured"))
    if not len(measured) == len(meta["subjects"]) == len(measured.offsets) - 1:
        raise ValueError(f"{len(meta['subjects'])} subjects, arrays of {len(measured)}")
    if measured.predictions.shape[1] != measured.offsets[-1]:
        raise ValueError(f"{measured.offsets[-1]} images, predictions of another number")
    blind = _part(arrays, "blind")
    index = RecordedIndex(
        Path(meta["index"]),
        parse_manifest(meta["manifest"], file),
        {int(name_id): str(name) for name_id, name in meta["names"].items()},
        int(meta["candidates"]),
    )
    results = tuple(
        _result(measured, place, entry, int(meta["tau"]))
        for place, entry in enumerate(meta["subjects"])
    )
    return Evidence(
        audit=AuditResult(index, dict(meta["backend"]), int(meta["tau"]), results),
        measured=measured,
        controls=ControlTests(
            **_part(arrays, "controls"),
            calibrated=bool(meta["calibrated"]),
            by=tuple(tuple(by) for by in meta["matched_on"]),
        ),
        blind=BlindScores(**blind) if blind else None,
        left_out=tuple((str(name), str(reason)) for name, reason in meta["left_out"]),
        seed=int(meta["seed"]),
        origin=dict(meta["origin"]),
    )


def _result(measured: Measured, place: int, entry: Mapping[str, Any], tau: int) -> SubjectResult:
    here = measured.of(place)
    winners, counts, _ = count_votes(measured.predictions[:, here])
    name_id = int(measured.name_ids[place])
    skipped = tuple(Skipped(Path(path), str(reason)) for path, reason in entry["skipped"])
    count = entry["training_count"]
    subject = Subject(
        str(entry["name"]),
        tuple(Path(path) for path in entry["images"]),
        entry["membership"],
        None if count is None else int(count),
    )
    return SubjectResult(
        subject=subject,
        name_id=name_id,
        in_index=bool(entry["in_index"]),
        predictions=measured.predictions[:, here],
        similarities=measured.top[:, here],
        winners=winners,
        counts=counts,
        decision=decide(winners, name_id, tau),
        skipped=skipped,
        spellings=tuple(map(str, entry.get("spellings", ()))),
    )
