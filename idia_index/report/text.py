"""The standard wording of reports: verdicts, warnings and the origin of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from idia_index.decide.decision import Decision
from idia_index.evaluation.records.baselines import Baselines
from idia_index.evaluation.records.p_values import PValueSummary, SmallPValues
from idia_index.evaluation.records.rates import Metrics
from idia_index.report.format import auc, p_value, percent
from idia_index.report.language import _, figure, ngettext, number
from idia_index.store.summary import IndexSummary
from idia_index.support.documents import Json
from idia_index.support.intervals import Rate

ANOTHER = "another name"  # for a rival that must not be named: see `disclosure.may_be_named`


def another() -> str:
    """The same in the current language."""
    return _("another name")


def not_valid() -> str:
    """How wrong p-values from control names alone can be for a single name."""
    return _(
        "among strangers in the controlled study, such a p was at most 0.05 for 5% over all "
        "names, but for 22% under the worst of 500."
    )


def verdict(decision: Decision, missed: Rate | None) -> str:
    """The verdict on one subject, in the standard wording of all reports.

    Args:
        decision: the rule's decision.
        missed: known members who were not found; None or empty if none is known.
    """
    if decision.inferred_member:
        return _("the model associates this face with this name")
    found = _("no association of this face with this name was found")
    if missed is None or missed.value is None:
        unknown = _("how often members are missed is not known here")
        return f"{found}; {unknown}"
    said = ngettext(
        "of {n} known member here {rate} are missed",
        "of {n} known members here {rate} are missed",
        missed.total,
    )
    return f"{found}; {said.replace('{rate}', percent(missed.value))}"


def missed_members(metrics: Metrics | None) -> Rate | None:
    """Known members who were not found; None if no membership is known."""
    return Rate(metrics.fn, metrics.tp + metrics.fn) if metrics else None


def stand_out_text(summary: PValueSummary) -> str:
    """How many people stand out, and how many of them may be wrong."""
    said = ngettext(
        "{n} person stands out at a false discovery rate of {rate}",
        "{n} people stand out at a false discovery rate of {rate}",
        summary.discoveries,
    ).replace("{rate}", percent(summary.fdr, 0))
    if not summary.discoveries:
        return said
    wrong = summary.fdr * summary.discoveries
    rest = _("about {wrong} of them may be wrong, and nobody knows which")
    if wrong < 1:
        rest = _("fewer than one of them is expected to be wrong")
    return f"{said}: {rest.format(wrong=figure(f'{wrong:.1g}'))}"


def index_type(summary: IndexSummary) -> str:
    """An index's type, and how exact its names are."""
    if summary.exact:
        return _("{type}, exact").format(type=summary.kind)
    return _("{type}, quantized; names in doubt are encoded again, exactly").format(
        type=summary.kind
    )


def names_origin(pool: Mapping[str, Json] | None) -> str:
    """The origin of a build's names, from the recipe in its manifest; None: not sampled."""
    if pool is None:
        return _("a list; none was drawn")
    how = _("by frequency") if pool.get("weighted") else _("every name equally likely")
    return _("{pool}: {number} drawn with seed {seed}, {how}").format(
        pool=pool.get("pool") or pool.get("algorithm"),
        number=pool.get("n"),
        seed=pool.get("seed"),
        how=how,
    )


def leak_warnings(baselines: Baselines | None) -> list[str]:
    """The warning if members can be distinguished from non-members without their faces."""
    if baselines is None or not baselines.gate:
        return []
    said = "; ".join(f"{_(row.title)}: AUC {auc(row.auc)}" for row in baselines.rows if row.fires)
    return [
        _(
            "The split leaks: members can be told from non-members without matching a face to its "
            "name ({found}; the attack: AUC {attack}). The model-free baseline raises the alarm "
            "if it is clearly above chance, the others only with {near} or more of the "
            "attack's advantage. The rates below are not evidence that the model knows these "
            "faces. Choose non-members whose names and photographs come from the same sources as "
            "the members'."
        ).format(found=said, attack=auc(baselines.attack_auc), near=percent(baselines.near, 0))
    ]


def leak_text(baselines: Baselines, people: int) -> str:
    """The size of leak that can be excluded; empty if one was found or nothing was tested."""
    if baselines.gate or baselines.largest_leak is None:
        return ""
    return _(
        "No leak of more than AUC {area} was seen among {people} people by sizes, EXIF, sharpness "
        "and colours of photos and by the spelling of names (99% limit). A smaller leak, or one "
        "of another kind, is not excluded."
    ).format(area=figure(f"{baselines.largest_leak:.2f}"), people=number(people))


EXCESS = 0.05
"""Warn of too many small p-values of non-members at or below this probability."""


def small_text(small: SmallPValues) -> str:
    """What the number of small p-values of non-members says about all p-values."""
    found = _(
        "{few} of {all} are at most 0.05, {expected} expected; as many by chance: p = {p}"
    ).format(
        few=number(small.at_most_5_percent),
        all=number(small.non_members),
        expected=figure(f"{small.expected:.3g}"),
        p=p_value(small.excess_p_value),
    )
    if small.excess_p_value < EXCESS:
        return _(
            "Too many known non-members have a small p-value ({found}). So the true names may "
            "stand out from the control names for a reason other than their faces, and the "
            "p-values of the others may be too small: interpret those who stand out with care. "
            "One such test in twenty warns by chance."
        ).format(found=found)
    return _(
        "No more known non-members have a small p-value than expected by chance ({found}): no "
        "sign that p-values are too small. With few non-members, only a gross excess would show."
    ).format(found=found)


def small_warnings(summary: PValueSummary | None) -> list[str]:
    """The warning if too many p-values of non-members are small."""
    small = summary and summary.non_members_small
    return [small_text(small)] if small and small.excess_p_value < EXCESS else []


def report_warnings(
    origin: Sequence[str], baselines: Baselines | None, summary: PValueSummary | None
) -> tuple[str, ...]:
    """The warnings at the top of a report, besides those of its origin."""
    return (*origin, *leak_warnings(baselines), *small_warnings(summary))
