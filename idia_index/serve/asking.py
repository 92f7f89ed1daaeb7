"""People with their photos -> the answer, as the verb `audit` computes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.report.data import evaluation_result
from idia_index.serve.desk import Answer, Case, Choice, Group
from idia_index.serve.models import Models
from idia_index.serve.server import Server
from idia_index.subjects.records import Subject
from idia_index.types import StageProgress


def begin(server: Server, item: Case | Group, subjects: Sequence[Subject]) -> None:
    """Asks the model as soon as it is free; the photos go when the answer is there.

    Raises:
        InputError: something is being done with these people, or too many jobs wait.
    """
    item.check_idle()
    item.answer = None

    def work(progress: StageProgress) -> None:
        source = item.path if isinstance(item, Group) else None
        item.answer = ask(server.models, item.choice, subjects, progress, source)
        item.forget_photos()

    item.job = server.jobs.add("ask", work)


def ask(
    models: Models,
    choice: Choice,
    subjects: Sequence[Subject],
    progress: StageProgress,
    source: Path | None = None,
) -> Answer:
    """Tests the people; nothing of it is written to disk.

    Args:
        models: what answers.
        choice: the index.
        subjects: the people.
        progress: told how far it is.
        source: where they were read from; None: they were sent.

    Raises:
        IdiaIndexError: as `audit`.
    """
    loaded = models.load(choice, progress)
    evidence = gather(
        loaded.index,
        loaded.backend,
        subjects,
        Measurement(),
        cached=False,  # embeddings of faces are not kept
        reference_faces=loaded.faces,
        progress=progress,
    )
    progress("writing the answer", 0, 1)
    evidence = evidence if source is None else evidence.from_subjects(source)
    return Answer(evaluation_result(evidence, settings_for_all(evidence)))
