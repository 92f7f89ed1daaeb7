"""Renders a report as one page: verdict and uncertainty, then the evidence, then its limits.

The templates in `templates/` define the layout; a page fetches nothing.
"""

from __future__ import annotations

from idia_index.errors import install_command
from idia_index.report.charts import draw_charts, has_matplotlib
from idia_index.report.documented import baseline_text, score_text
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.glossary import glossary
from idia_index.report.groups import group_rows, groups_mean
from idia_index.report.html import render
from idia_index.report.language import _, speaking
from idia_index.report.likelihood import calibration_rows, ratios_mean
from idia_index.report.notes import notes
from idia_index.report.officer import (
    about_rows,
    found_of_all,
    grades,
    lead,
    limits,
    stated,
    what_it_means,
    what_was_asked,
    what_was_sent,
)
from idia_index.report.people import about, by_chance, certainty, faces, left_out
from idia_index.report.questions import questions
from idia_index.report.statistics import (
    by_training_count,
    p_value_rows,
    rate_curves,
    sensitivity_rows,
)
from idia_index.report.tested import tested_rows
from idia_index.report.text import (
    leak_text,
    missed_members,
    report_warnings,
    small_text,
    verdict,
)

VOTES_SHOWN = 200

# Nothing may be fetched, whatever a name or path contains.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def report_html(result: AuditResult, *, include_images: bool = False, language: str = "en") -> str:
    """The page of an audit or an evaluation.

    Args:
        result: what is shown.
        include_images: embeds small copies of the subjects' images.
        language: one of `idia_index.report.language.LANGUAGES`; fixed phrases of the document
            are translated too.
    """
    with speaking(language):
        evaluated = result if isinstance(result, EvaluationResult) else None
        return render(
            "page.html",
            language=language,
            title=_("Identity inference audit"),
            policy=POLICY,
            result=result,
            evaluation=evaluated.evaluation if evaluated else None,
            include_images=include_images,
            limits=limits(),
            questions=questions(result),
            glossary=glossary(),
            tested_rows=tested_rows(result),
            groups_mean=groups_mean(),
            group_rows=group_rows(result.groups or ()),
            ratios_mean=ratios_mean(),
            calibration_rows=calibration_rows(result.calibration) if result.calibration else (),
            counts=by_training_count(result.metrics),
            left_out=left_out(result),
            **_first_page(result, language),
            **_of_people(result),
            **(_of_evaluation(evaluated) if evaluated else {}),
        )


def page_warnings(result: AuditResult) -> tuple[str, ...]:
    """What must come first."""
    if not isinstance(result, EvaluationResult):
        return ()
    return report_warnings(result.replay.warnings, result.evaluation.baselines, result.p_values)


def _first_page(result: AuditResult, language: str) -> dict[str, object]:
    about_audit, missed = stated(result), missed_members(result.metrics)
    return {
        "about_audit": about_audit,
        "about_rows": about_rows(about_audit),
        "lead": lead(result),
        "warnings": page_warnings(result),
        "verdict_of": lambda person: verdict(person.decision, missed),
        "verdict_of_all": found_of_all(result) + by_chance(result) + ".",
        "grades": grades(result),
        "what_was_asked": what_was_asked(result),
        "what_it_means": what_it_means(),
        "what_was_sent": what_was_sent(result),
        "certainty": certainty(result),
        "notes": result.notes if language == "en" else notes(result),
    }


def _of_people(result: AuditResult) -> dict[str, object]:
    return {
        "people": result.most_associated_first,
        "tested": result.subjects[0].p_value is not None,
        "people_columns": _people_columns(result),
        "about": lambda person: about(result, person),
        "faces_of": lambda person: faces(result, person),
        "votes_shown": VOTES_SHOWN,
    }


def _people_columns(result: AuditResult) -> list[tuple[str, str]]:
    """Columns of the people; class x is hidden on phones and paper, y on phones."""
    columns = [
        (_("person"), "l"),
        (_("prompts of {n}").format(n=len(result.templates)), "n"),
        (_("associated"), ""),
    ]
    if result.subjects[0].p_value is not None:
        columns += [(_("p"), "n"), (_("adjusted p"), "n x")]
    columns += [(_("truth"), ""), (_("training images"), "n y")]
    if isinstance(result, EvaluationResult):
        columns.append((_("same verdict from (images)"), "n x"))
    return [*columns, (_("images"), "n x")]


def _leak(result: EvaluationResult) -> str:
    baselines, people = result.evaluation.baselines, result.evaluation.people
    known = people.members + people.non_members
    return "" if baselines is None else leak_text(baselines, known)


def _of_evaluation(result: EvaluationResult) -> dict[str, object]:
    """The variables of an evaluation's sections."""
    evaluation = result.evaluation
    drawn = has_matplotlib()
    curves, rates = rate_curves(evaluation.curves), evaluation.sensitivity.tau_by_images
    summary = result.p_values
    small = summary and summary.non_members_small
    return {
        "tables_only": "" if drawn else install_command("report"),
        "charts": draw_charts(result, drawn=drawn),
        "rate_curves": curves,
        "rate_columns": [(title, "n") for title, _ in curves],
        "size_columns": [(str(size), "n") for size in evaluation.curves.sizes],
        "p_value_rows": p_value_rows(summary, len(result.subjects)) if summary else [],
        "score": score_text(summary) if summary else "",
        "small": small_text(small) if small else "",
        "leak": _leak(result),
        "baseline_text": baseline_text,
        "sensitivity_rates": rates.tpr is not None or rates.fpr is not None,
        "sensitivity_rows": sensitivity_rows,
    }
