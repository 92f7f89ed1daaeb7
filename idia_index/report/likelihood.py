"""Renders likelihood ratios in words: their calibration, and a person's result."""

from __future__ import annotations

from idia_index.evaluation.likelihood import (
    LEAST_PEOPLE,
    LikelihoodRatio,
    StudyCalibration,
    Support,
    Withheld,
)
from idia_index.report.format import bin_label, spread
from idia_index.report.language import _, figure, number
from idia_index.report.subject_result import SubjectResult


def ratios_mean() -> str:
    """What a likelihood ratio means and does not mean."""
    return _(
        "A likelihood ratio says how many times as likely a score is among the study's members as "
        "among its non-members, in the words of the ENFSI guideline of 2015. It is not a "
        "probability of membership, which also depends on the odds before the audit, and it holds "
        "for people and photos like the study's."
    )


def ratio_number(ratio: float) -> str:
    """A ratio to two digits; below 1 as a fraction."""
    size = float(f"{max(ratio, 1 / ratio):.2g}")
    return figure(f"{size:,g}" if ratio >= 1 or size == 1 else f"1/{size:,g}")


def _word(support: Support) -> str:
    return {
        "none": _("none"),
        "weak": _("weak"),
        "moderate": _("moderate"),
        "moderately strong": _("moderately strong"),
        "strong": _("strong"),
        "very strong": _("very strong"),
        "extremely strong": _("extremely strong"),
    }[support]


def ratio_cell(found: LikelihoodRatio | None) -> str:
    """A ratio for a table."""
    if found is None or found.ratio is None or found.support is None:
        return _("withheld")
    return f"{ratio_number(found.ratio)} ({_word(found.support)})"


def ratio_text(person: SubjectResult, calibration: StudyCalibration) -> str:
    """The sentence about one person."""
    found = person.likelihood_ratio
    if found is None or found.withheld is not None or found.ratio is None or found.support is None:
        why = found.withheld if found else None
        return _("The likelihood ratio is withheld: {why}.").format(why=_why(why, calibration))
    supports = (
        _("support for membership: {word}")
        if found.ratio >= 1
        else _("support for non-membership: {word}")
    )
    said = _(
        "Likelihood ratio {ratio}: how many times as likely such a score is among the study's "
        "members as among its non-members; {support}."
    ).format(ratio=ratio_number(found.ratio), support=supports.format(word=_word(found.support)))
    if not found.by_training_count:
        return said
    parts = "; ".join(
        f"{bin_label(each)}: {ratio_number(each.ratio)}" for each in found.by_training_count
    )
    by_count = _("By training images: {parts}.").format(parts=parts)
    return f"{said} {by_count}"


def _why(withheld: Withheld | None, calibration: StudyCalibration) -> str:
    reasons: dict[Withheld | None, str] = {
        "another model": _("the study is of another model"),
        "another index": _("the study's index has other names, templates or another index type"),
        "another crop": _("the study's photos were cropped differently"),
        "too few people": _("the study has fewer than {least} members or non-members").format(
            least=LEAST_PEOPLE
        ),
        "leak": _("the study's members can be told from its non-members without faces"),
        "of the study": _("the person is one of the study"),
        "photos": _("the study's people have {images} photos each").format(
            images=spread(*map(number, calibration.images))
        ),
        "score": _("the score lies outside the study's"),
    }
    return reasons.get(withheld, "")


def calibration_rows(calibration: StudyCalibration) -> list[tuple[str, str]]:
    """The rows on the calibration of likelihood ratios."""
    low, high = map(number, calibration.images)
    rows = [
        (_("study"), calibration.report),
        (_("SHA-256 of its report"), calibration.report_sha256),
        (
            _("members and non-members"),
            f"{number(calibration.members)} + {number(calibration.non_members)}",
        ),
        (_("photos of a person"), spread(low, high)),
    ]
    if calibration.withheld is not None:
        return [*rows, (_("withheld"), _why(calibration.withheld, calibration))]
    if calibration.score is None or calibration.ratios is None:
        return rows
    costs = [
        (_("all members"), calibration.cllr or 0.0, calibration.minimum_cllr or 0.0),
        *(
            (
                _("{counts} training images").format(counts=bin_label(each)),
                each.cllr,
                each.minimum_cllr,
            )
            for each in calibration.by_training_count
        ),
    ]
    return [
        *rows,
        (_("score"), {"pmi": "PMI", "margin": _("margin of similarity")}[calibration.score]),
        (
            _("likelihood ratios that it supports"),
            spread(*map(ratio_number, calibration.ratios)),
        ),
        *(
            (
                _("cost of the ratios (Cllr), {who}").format(who=who),
                _("{cost} bits, of which {least} are due to the score itself").format(
                    cost=figure(f"{cost:.2f}"), least=figure(f"{least:.2f}")
                ),
            )
            for who, cost, least in costs
        ),
    ]
