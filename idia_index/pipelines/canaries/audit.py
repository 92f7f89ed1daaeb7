"""Audits canaries: opens the seal, scores and guesses canaries, and bounds the model's leakage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from idia_index.decide.decision import Decision
from idia_index.errors import InputError, ModelError
from idia_index.evaluation.canaries import (
    best_bound,
    best_mu,
    by_images,
    guess,
    guess_counts,
    separation,
)
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.gaussian import gaussian_epsilon
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.canaries.people import check_names
from idia_index.pipelines.canaries.records import (
    AUDITOR,
    PEOPLE,
    Assignment,
    Canary,
    Manifest,
    read_canaries,
)
from idia_index.pipelines.compared_models import (
    OpenModel,
    candidates_of,
    compared,
    grid_of,
    open_model,
)
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.report_files import write_files
from idia_index.pipelines.report_folder import check_folder
from idia_index.report.canaries import ASSUMPTIONS, CANARY_FORMAT, CanaryScore
from idia_index.report.canaries import CanaryAudit as CanaryAudit
from idia_index.subjects.records import Subject
from idia_index.support.files import sha256_file
from idia_index.support.text import json_text, shown
from idia_index.types import StageProgress

LEAST_SHA = 8


@dataclass(frozen=True)
class AuditOptions:
    """Options of a canary audit.

    Attributes:
        key: the key of the seal; None: auditor/key.json in the folder.
        members: members.csv that must not contain any of the names.
        weights: the required beginning of the SHA-256 of the model's weights.
        guesses: how many canaries to guess in and out, chosen beforehand; None: five plans.
        delta: the bound's delta.
        confidence: the bound's confidence.
        tau: correct prompts from which the rule associates.
        seed: seed of the control names and candidates.
        device: device of the model.
    """

    key: Path | None = None
    members: Path | None = None
    weights: str | None = None
    guesses: tuple[int, int] | None = None
    delta: float = 0.0
    confidence: float = 0.95
    tau: int = 1
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.delta < 1 or not 0 < self.confidence < 1:
            raise InputError(
                f"--delta {self.delta:g}, --confidence {self.confidence:g}: pass a delta of at "
                "least 0 and below 1, a confidence between 0 and 1"
            )
        if self.weights is not None and len(self.weights) < LEAST_SHA:
            raise InputError(
                f"--weights {shown(self.weights)}: pass at least {LEAST_SHA} characters of the "
                "SHA-256 of the weights"
            )


def audit_canaries(
    model: str,
    folder: Path,
    options: AuditOptions,
    progress: StageProgress,
    out: Path | None = None,
) -> CanaryAudit:
    """Audits a model with canaries.

    Args:
        model: an index or a SPEC.
        folder: the folder that `make_canaries` wrote.
        options: the options.
        out: where a report will be written, checked first.

    Raises:
        InputError: the seal is invalid, photos were changed or swapped, names occur elsewhere, or
            the model is not the one to audit.
    """
    if out is not None:
        check_folder(out)
    manifest, assignment = read_canaries(folder, options.key)
    check_names([canary.name for canary in assignment.people], options.members)
    plans = guess_counts(len(assignment.people), options.guesses)
    subjects = _subjects(folder, assignment, progress)
    grid = grid_of([model], lambda: candidates_of(subjects, options.seed, "canaries"))
    with TemporaryDirectory(prefix="idia-index-") as place:
        opened = open_model(model, grid, Path(place) / "index", options.device, progress)
        _check_weights(opened, options.weights)
        settings = Measurement(tau=options.tau, seed=options.seed)
        evidence = gather(opened.index, opened.backend, subjects, settings,
                          strict=True, baselines=False, progress=progress)  # fmt: skip
        opened.index.close()
    return _document(opened, evidence, (manifest, assignment), plans, options)


def write_canary_audit(result: CanaryAudit, folder: Path) -> None:
    """Writes report.json, readable only by its owner."""
    write_files(folder, {"report.json": json_text(result.to_dict(), indent=1)})


def _subjects(folder: Path, assignment: Assignment, progress: StageProgress) -> list[Subject]:
    """The canaries as people under test, with their photos checked against the seal."""
    out = []
    for number, canary in enumerate(assignment.people):
        progress("checking photos", number, len(assignment.people))
        place = folder / AUDITOR / PEOPLE / canary.folder
        out.append(
            Subject(canary.name, tuple(_photo(place / name, canary) for name in canary.files))
        )
    return out


def _photo(path: Path, canary: Canary) -> Path:
    try:
        found = sha256_file(path)
    except OSError as error:
        raise InputError(
            f"{path}: a photo of the canary {shown(canary.name)} cannot be read "
            f"({error.strerror}); audit with the original files"
        ) from error
    if found != canary.files[path.name]:
        raise InputError(
            f"{path}: not the sealed photo of the canary {shown(canary.name)}: canaries were "
            "swapped or photos changed; audit with the original files"
        )
    return path


def _check_weights(opened: OpenModel, wanted: str | None) -> None:
    own = opened.backend.fingerprint.weights_sha256
    if wanted is not None and not own.startswith(wanted.lower()):
        raise ModelError(
            f"{shown(opened.given)} is not the model to audit: the SHA-256 of its weights is "
            f"{own[:16]}..., not {wanted[:16]}...; pass the model of --weights"
        )


def scores_of(evidence: Evidence) -> Float64:
    """The score that ranks canaries: PMI, or the margin if too few people; float64 [N]."""
    controls = evidence.tests
    return controls.scores if controls.calibrated else evidence.measured.margins


def _document(
    opened: OpenModel,
    evidence: Evidence,
    made: tuple[Manifest, Assignment],
    plans: list[tuple[int, int]],
    options: AuditOptions,
) -> CanaryAudit:
    manifest, people = made[0], made[1].people
    scores = scores_of(evidence)
    decisions = [each.decision for each in evidence.audit.subjects]
    associated = np.array([each.inferred_member for each in decisions], np.bool_)
    # The coins are not used before this point.
    coins = np.array([canary.included for canary in people], np.bool_)
    images = np.array([canary.images for canary in people], np.int64)
    level = options.delta, options.confidence
    guessed = guess(scores, coins, plans, *level)
    mu = best_mu(len(people), guessed)
    return CanaryAudit(
        format=CANARY_FORMAT,
        model=compared(opened),
        seal=manifest.seal,
        source=manifest.canaries.source,
        canaries=len(people),
        candidates=len(evidence.audit.index),
        tau=options.tau,
        delta=options.delta,
        confidence=options.confidence,
        epsilon_lower_bound=best_bound(guessed),
        mu_lower_bound=mu,
        gaussian_epsilon=gaussian_epsilon(mu, options.delta),
        plans=guessed,
        overall=separation(scores, associated, coins, None, level),
        by_images=by_images(scores, associated, coins, images, level),
        people=tuple(map(_score, people, decisions, scores.tolist())),
        policy=(),
        assumptions=ASSUMPTIONS,
    )


def _score(canary: Canary, decision: Decision, score: float) -> CanaryScore:
    return CanaryScore(
        name=canary.name,
        images=canary.images,
        included=canary.included,
        correct_prompts=decision.correct_prompts,
        associated=decision.inferred_member,
        score=score,
    )
