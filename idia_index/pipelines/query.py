"""The query pipeline: from one person's images to predictions, votes and a decision."""

from __future__ import annotations

import os

from idia_index.encode.backend import Backend
from idia_index.evaluation.people import subject_tests
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.prompts.lint import oddities
from idia_index.prompts.names import clean_name
from idia_index.report.data import query_result
from idia_index.report.documents import QueryResult
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject
from idia_index.types import CountProgress, quiet


def query(
    index: Index,
    backend: Backend | LabelerPlugin,
    subject: Subject,
    *,
    tau: int = 1,
    top: int | None = None,
    strict: bool = False,
    reference_faces: str | os.PathLike[str] | None = None,
    progress: CountProgress = quiet,
) -> QueryResult:
    """Tests one person by protocol `jair2024`, and states how strong the evidence is.

    Args:
        index: an index of this model.
        backend: the model, to encode the images, and the name if it is missing from the index; or
            the labeler of a label index.
        subject: the person under test.
        tau: correct prompts needed, 1 to T; the paper uses 1.
        top: how many of the most frequently predicted names to report; None: none.
        strict: an image that cannot be read is an error instead of being skipped.
        reference_faces: as for `idia_index.pipelines.evaluate.gather`.
        progress: called with the number of images done and the total.

    Raises:
        InputError: tau is out of range, or as `idia_index.pipelines.prepare.prepare`.
    """
    evidence = gather(
        index, backend, [subject], Measurement(tau=tau), strict=strict, baselines=False,
        reference_faces=reference_faces, progress=lambda stage, done, total: progress(done, total),
    )  # fmt: skip
    return query_result(evidence.audit, top, subject_tests(evidence))


def how_read(name: str, subject: Subject) -> str | None:
    """A note on how a subject's name was read, or on its oddities; None if there are none."""
    if subject.name == clean_name(name):
        return next(oddities([subject.name]), None)
    return f"{name!r} is read as {subject.name!r}"
