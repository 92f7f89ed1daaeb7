"""The people of a study's report, found again where they are now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from idia_index.errors import InputError
from idia_index.evaluation.evidence import Origin
from idia_index.pipelines.studies.definition import read_study
from idia_index.pipelines.studies.models import StudyModel
from idia_index.pipelines.studies.photos import find_photos
from idia_index.pipelines.studies.run import study_warnings, tested_people
from idia_index.subjects.subjects import Subject


@dataclass(frozen=True)
class Source:
    """Where a report's subjects were read from, read again.

    Attributes:
        place: the folder, CSV or study, in words.
        subjects: everybody there, as the report's model saw them.
        origin: what a report states of them.
    """

    place: str
    subjects: Sequence[Subject]
    origin: Origin


def read_study_source(told: Origin) -> Source | None:
    """The people of a study's report as they are now; None where their folders are gone.

    Args:
        told: what the report states of its origin.

    Raises:
        InputError: study or folders are there and cannot be read, or the report names none.
    """
    folders = [Path(folder) for folder in told.folders]
    if told.recipe is None or told.model is None or told.activation is None:
        raise InputError("the report does not say what study it is of; evaluate again")
    if not all(folder.exists() for folder in folders):
        return None
    study = read_study(told.recipe)
    photos = find_photos(study, folders)
    label, count = told.model.label, told.model.training_count
    subjects = tested_people(photos, StudyModel(label, "", "", count))
    place = ", ".join([study.source, *map(os.fsdecode, folders)])
    origin = replace(
        told,
        study=study.title,
        without_images=tuple(each.person.name for each in photos.missing),
        warnings=tuple(study_warnings(study, told.activation, told.dry_run)),
    )
    return Source(place, subjects, origin)
