"""Finds the people of a study's report again, for a replay."""

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
    """The source of a report's subjects, read again.

    Attributes:
        place: the folder, CSV or study, in words.
        subjects: everyone there, as for the report's model.
        origin: the report's statements about them.
    """

    place: str
    subjects: Sequence[Subject]
    origin: Origin


def read_study_source(told: Origin) -> Source | None:
    """The present people of a study's report; None if their folders are missing.

    Args:
        told: the report's statements about its origin.

    Raises:
        InputError: study or folders exist but cannot be read, or the report names none.
    """
    folders = [Path(folder) for folder in told.folders]
    if told.recipe is None or told.model is None or told.activation is None:
        raise InputError("the report does not name its study; evaluate again")
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
