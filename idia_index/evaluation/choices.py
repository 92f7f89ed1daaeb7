"""What an audit is to do, put together before any photo is encoded, and its SHA-256.

So a reader can check that neither score nor threshold was chosen after looking at the answers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from idia_index._version import __version__
from idia_index.evaluation.controls import ENOUGH, MOST_CONTROLS
from idia_index.evaluation.draws import ALGORITHM
from idia_index.evaluation.likelihood import OwnStudy
from idia_index.evaluation.name_tests import OFFERED
from idia_index.evaluation.pvalues import FDR
from idia_index.evaluation.references import REFERENCE
from idia_index.evaluation.settings import Measurement, Settings
from idia_index.evaluation.strength import CLEAR, LEAST_IMAGES, PROMPTS_ALONE, WEAK
from idia_index.store.manifest import Manifest
from idia_index.subjects.records import Subject
from idia_index.support.documents import to_json
from idia_index.types import Fingerprint

SETTINGS = {"sample_sizes": "sizes"} | {
    key: key for key in ("tau", "seed", "min_images", "max_training_count", "draws", "bins")
}
"""What is chosen of the settings: here, and there."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What an audit is to do.

    Attributes:
        format: name and version of the document's format.
        protocol: the rule.
        version: of idia-index.
        tau: correct prompts from which a subject is inferred to be in the training data.
        seed: of everything that is drawn.
        min_images, max_training_count: who is left out.
        sample_sizes, draws, bins: of an evaluation's curves; null of an audit.
        fingerprint: the model.
        index_type: of the index.
        names_sha256: SHA-256 of the candidates.
        candidates: how many they are.
        templates: the templates.
        crop: what is cut out of each image.
        people: how many are to be tested.
        photos: how many they have.
        reference_faces: where portraits on which each name is tried are; null: other subjects.
        groups: SHA-256 of who is in which group; null where nobody asked.
        study_sha256: SHA-256 of the report that likelihood ratios are calibrated on; null: none.
        score: what p-values, ratios and ROC rest on.
        score_references: other people's photos that it takes; with fewer a name's likelihood.
        p_value: which of the two p-values counts.
        clear, weak: the largest p-value of either grade of evidence.
        clear_prompts: correct prompts of clear evidence without other people's photos.
        clear_images: fewest images of clear evidence.
        fdr: false discovery rate.
        controls_offered: candidates of which control names are drawn.
        controls_enough: matches below which matching is loosened.
        controls_most: control names of a person.
        drawing: the way in which images are drawn.
    """

    format: Literal["idia-index/choices/1"] = "idia-index/choices/1"
    protocol: Literal["jair2024"] = "jair2024"
    version: str = __version__
    tau: int
    seed: int
    min_images: int
    max_training_count: int | None
    sample_sizes: tuple[int, ...] | None
    draws: int | None
    bins: tuple[int, ...] | None
    fingerprint: Fingerprint
    index_type: str
    names_sha256: str
    candidates: int
    templates: tuple[str, ...]
    crop: str
    people: int
    photos: int
    reference_faces: str | None
    groups: str | None
    study_sha256: str | None
    score: Literal["PMI"] = "PMI"
    score_references: int = REFERENCE
    p_value: Literal["the larger of control names and name fixed"] = (
        "the larger of control names and name fixed"
    )
    clear: float = CLEAR
    weak: float = WEAK
    clear_prompts: int = PROMPTS_ALONE
    clear_images: int = LEAST_IMAGES
    fdr: float = FDR
    controls_offered: int = OFFERED
    controls_enough: int = ENOUGH
    controls_most: int = MOST_CONTROLS
    drawing: str = ALGORITHM

    def to_text(self) -> str:
        """One line of JSON in ASCII, which is hashed."""
        return json.dumps(to_json(self)) + "\n"

    @property
    def sha256(self) -> str:
        """SHA-256 of `to_text`."""
        return hashlib.sha256(self.to_text().encode("ascii")).hexdigest()

    def stated(self, tau: int, settings: Settings | None = None) -> StatedChoices:
        """With what a report was made with otherwise.

        Args:
            tau: of the report.
            settings: of its curves; None where it has none.
        """
        changed = ["tau"] if self.tau != tau else []
        if settings is not None and self.sample_sizes is not None:
            changed = [
                key
                for key, there in SETTINGS.items()
                if getattr(self, key) != getattr(settings, there)
            ]
        return StatedChoices(self.sha256, tuple(changed), self)


@dataclass(frozen=True)
class StatedChoices:
    """What was chosen before any photo was encoded.

    Attributes:
        sha256: of the choices as one line of JSON with a newline: of choices.json in the report's
            folder, which was written before the search.
        changed: choices that the report was made with otherwise, after the search.
        choices: what was chosen.
    """

    sha256: str
    changed: tuple[str, ...]
    choices: Choices


def choose(
    manifest: Manifest,
    subjects: Sequence[Subject],
    settings: Measurement,
    reference_faces: str | os.PathLike[str] | None,
    groups: Mapping[str, str] | None,
    study: OwnStudy | None,
) -> Choices:
    """The choices of an audit of an index.

    Args:
        manifest: of the index.
        subjects: who is to be tested, one at least.
        reference_faces: portraits on which each name is tried.
        groups: the group of each name; None where nobody asked.
        study: what likelihood ratios are calibrated on.
    """
    plan, crop = manifest.plan, subjects[0].crop
    curves = settings if isinstance(settings, Settings) else None
    of_groups = None if groups is None else json.dumps(sorted(groups.items())).encode("utf-8")
    return Choices(
        tau=settings.tau,
        seed=settings.seed,
        min_images=settings.min_images,
        max_training_count=settings.max_training_count,
        sample_sizes=curves.sizes if curves else None,
        draws=curves.draws if curves else None,
        bins=curves.bins if curves else None,
        fingerprint=plan.fingerprint,
        index_type=plan.kind,
        names_sha256=plan.names_sha256,
        candidates=manifest.candidates,
        templates=plan.templates,
        crop="none" if crop is None else crop.text,
        people=len(subjects),
        photos=sum(len(subject.images) for subject in subjects),
        reference_faces=None if reference_faces is None else os.fsdecode(reference_faces),
        groups=None if of_groups is None else hashlib.sha256(of_groups).hexdigest(),
        study_sha256=None if study is None else study.report_sha256,
    )
