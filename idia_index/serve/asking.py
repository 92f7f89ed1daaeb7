"""People with their photos -> the answer, as the verb `audit` computes it."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.report.data import evaluation_result
from idia_index.serve.desk import Answer, Case, Group
from idia_index.serve.server import Server
from idia_index.subjects.records import Subject
from idia_index.types import StageProgress


def begin(server: Server, item: Case | Group, subjects: Sequence[Subject]) -> None:
    """Asks the model as soon as it is free; the photos go when the answer is there.

    Nothing of it is written to disk. A button that was pressed twice asks once.

    Raises:
        InputError: too many jobs wait.
    """
    if item.is_busy:
        return
    item.answer = None

    def work(progress: StageProgress) -> None:
        loaded = server.models.load(item.choice, progress)
        # Embeddings of faces are not kept.
        evidence = gather(
            loaded.index, loaded.backend, subjects, Measurement(), cached=False,
            reference_faces=loaded.faces, progress=progress,
        )  # fmt: skip
        progress("writing the answer", 0, 1)
        if isinstance(item, Group) and item.path is not None:
            evidence = evidence.from_subjects(item.path)
        item.answer = Answer(evaluation_result(evidence, settings_for_all(evidence)))
        item.forget_photos()

    item.job = server.jobs.add("ask", work)
