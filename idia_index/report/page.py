"""A report as one page: verdict and uncertainty first, then the evidence, then what it is not.

The templates in `templates/` say what stands where; nothing in a page is fetched from anywhere.
"""

from __future__ import annotations

from idia_index.report.charts import draw_charts, missing_matplotlib
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.groups import GROUPS_MEAN, group_rows
from idia_index.report.html import render
from idia_index.report.people import about, by_chance, certainty, faces, left_out
from idia_index.report.statistics import (
    by_training_count,
    p_value_rows,
    rate_curves,
    sensitivity_rows,
)
from idia_index.report.tested import tested_rows
from idia_index.report.text import leak_text, small_text

TITLE = "Identity inference audit"
VOTES_SHOWN = 200

# Nothing may be fetched, whatever a name or a path holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

LIMITS = (
    "An association says that the model connects this face with this name. One explanation is "
    "training images of the person with the name; a look-alike with the same name, or a name that "
    "the model prefers for such faces, are others.",
    "Finding no association does not show that the person was left out of the training data: few "
    "images, poor photographs or a model too small to remember hide members from this test.",
    "Where membership was read from captions, a member is somebody whose name stands in a caption; "
    "whether the face is in the image was not checked.",
    "Rates hold for people, names and images like those tested here, and for this model. "
    "Intervals cover the choice of people; they do not cover a bad choice of non-members.",
    "Several settings were tried on the same people in the sensitivity tables. Choosing tau, the "
    "number of images or the pool by what looks best there makes the rates too good.",
)


def report_html(result: AuditResult, *, include_images: bool = False) -> str:
    """The page of an audit or an evaluation.

    Args:
        result: what is shown.
        include_images: embeds small copies of the subjects' images.
    """
    evaluation = result.evaluation if isinstance(result, EvaluationResult) else None
    return render(
        "page.html",
        title=TITLE,
        policy=POLICY,
        limits=LIMITS,
        result=result,
        evaluation=evaluation,
        warnings=result.warnings if isinstance(result, EvaluationResult) else (),
        by_chance=by_chance(result),
        certainty=certainty(result),
        counts=by_training_count(result.metrics),
        people=result.most_associated_first,
        tested=result.subjects[0].p_value is not None,
        people_columns=_people_columns(result),
        about=lambda person: about(result, person),
        include_images=include_images,
        faces_of=lambda person: faces(result, person),
        votes_shown=VOTES_SHOWN,
        left_out=left_out(result),
        tested_rows=tested_rows(result),
        groups_mean=GROUPS_MEAN,
        group_rows=group_rows(result.groups or ()),
        **(_of_evaluation(result) if isinstance(result, EvaluationResult) else {}),
    )


def _people_columns(result: AuditResult) -> list[tuple[str, str]]:
    columns = [("person", "l"), ("prompts", "n"), ("associated", "")]
    if result.subjects[0].p_value is not None:
        columns += [("evidence", ""), ("p", "n"), ("adjusted p", "n")]
    if isinstance(result, EvaluationResult):
        columns.append(("same verdict from (images)", "n"))
    return [*columns, ("truth", ""), ("training images", "n"), ("images", "n")]


def _leak(result: EvaluationResult) -> str:
    baselines, people = result.evaluation.baselines, result.evaluation.people
    known = people.members + people.non_members
    return "" if baselines is None else leak_text(baselines, known)


def _of_evaluation(result: EvaluationResult) -> dict[str, object]:
    """What only the sections of an evaluation take."""
    evaluation = result.evaluation
    missing = missing_matplotlib()
    curves, rates = rate_curves(evaluation.curves), evaluation.sensitivity.tau_by_images
    small = result.p_values.non_members_small
    return {
        "tables_only": missing,
        "charts": draw_charts(result, drawn=missing is None),
        "rate_curves": curves,
        "rate_columns": [(title, "n") for title, _ in curves],
        "size_columns": [(str(size), "n") for size in evaluation.curves.sizes],
        "p_value_rows": p_value_rows(result.p_values, len(result.subjects)),
        "small": small_text(small) if small else "",
        "leak": _leak(result),
        "sensitivity_rates": rates.tpr is not None or rates.fpr is not None,
        "sensitivity_rows": sensitivity_rows,
    }
