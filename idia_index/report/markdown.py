"""Renders a pull-request summary and a model-card section as Markdown, without people's names."""

from __future__ import annotations

import json
from collections.abc import Sequence

from idia_index._version import __version__
from idia_index.evaluation.records.rates import Share
from idia_index.report.documents import EvaluationResult
from idia_index.report.format import interval, percent
from idia_index.report.officer import found_of_all, grades, what_it_means, what_was_sent
from idia_index.report.people import by_chance
from idia_index.support.text import counted, printable


def summary_markdown(result: EvaluationResult) -> str:
    """The outcome, for a pull request."""
    lines = ["## Identity inference audit", "", *_outcome(result)]
    lines += ["", what_it_means(), "", what_was_sent(result), "", *_tested(result)]
    return printable("\n".join(lines) + "\n")


def model_card_markdown(result: EvaluationResult) -> str:
    """Evaluation metadata in Hugging Face's format, and a section of a model card."""
    lines = ["---", "model-index:", f"- name: {_quoted(result.index.model)}", "  results:"]
    lines += ["  - task:", "      type: zero-shot-image-classification"]
    lines += [f"      name: {_quoted('Identity inference (names of faces)')}", "    dataset:"]
    lines += ["      type: private", f"      name: {_quoted(_people(result))}", "    metrics:"]
    for kind, title, share in _rates(result):
        said = f"{title}, {share.hits:,} of {share.total:,}"
        bounds = f", 95% CI {interval(share.ci95)}" if share.ci95 else ""
        lines += [f"    - type: {kind}", f"      value: {share.rate}"]
        lines += [f"      name: {_quoted(said + bounds)}"]
    lines += ["---", "", "## Does the model know faces by name?", "", *_outcome(result), ""]
    lines += [what_it_means(), "", *_tested(result)]
    return printable("\n".join(lines) + "\n")


def _outcome(result: EvaluationResult) -> list[str]:
    lines = [line for warning in result.warnings for line in (f"> **Warning:** {warning}", "")]
    lines += [f"**{found_of_all(result)}{by_chance(result)}.** {grades(result)}", ""]
    lines += ["| | people | rate | 95% CI |", "| --- | ---: | ---: | ---: |"]
    return lines + [
        f"| {title} | {share.hits:,} of {share.total:,} | {percent(share.rate)} | "
        f"{interval(share.ci95)} |"
        for _kind, title, share in _rates(result)
    ]


def _rates(result: EvaluationResult) -> list[tuple[str, str, Share]]:
    """Type, title and value of each rate that is known."""
    people, found = len(result.subjects), len(result.associated)
    rows = [("associated", "Associated people", Share(found, people, found / people, None))]
    if result.metrics is not None:
        rows += [
            ("true_positive_rate", "Members found (TPR)", result.metrics.members),
            ("false_positive_rate", "Non-members taken for members (FPR)",
             result.metrics.non_members),
        ]  # fmt: skip
    return [row for row in rows if row[2].rate is not None]


def _people(result: EvaluationResult) -> str:
    known = result.evaluation.people
    return (
        f"{counted(known.evaluated, 'person', 'people')}, {counted(known.members, 'member')}, "
        f"{counted(known.non_members, 'non-member')}"
    )


def _tested(result: EvaluationResult) -> Sequence[str]:
    index = result.index
    return (
        f"- {len(result.templates)} prompts, {result.candidates:,} candidate names, "
        f"tau {result.tau}; {_people(result)}",
        f"- weights SHA-256 `{index.fingerprint.weights_sha256}`; names SHA-256 "
        f"`{index.names_sha256}`",
        f"- idia-index {__version__}; to reproduce: `{result.replay.command}`",
    )


def _quoted(text: str) -> str:
    """A text as a YAML scalar; any JSON string is one."""
    return json.dumps(printable(text), ensure_ascii=False)
