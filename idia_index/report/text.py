"""What reports say in words: verdicts, notes and warnings, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from idia_index.decide.decision import Decision
from idia_index.evaluation.records import Baselines, PValueSummary, SmallPValues
from idia_index.report.documents import AuditResult
from idia_index.report.format import CI, interval, p_value, percent
from idia_index.store.summary import IndexSummary
from idia_index.support.documents import Json
from idia_index.support.intervals import Rate
from idia_index.support.text import counted

ASSOCIATED = "the model associates this face with this name"
STAND_OUT = ("person stands out", "people stand out")
NOT_ASSOCIATED = "no association of this face with this name was found"
ANOTHER = "another name"  # where a rival is not named: see `disclosure.may_be_named`
NAMED = 20  # people that a note lists


NOT_VALID = (
    "among strangers of the controlled study such a p was at most 0.05 for 5% over all names, but "
    "for 25% under the worst name."
)


def verdict(decision: Decision, missed: Rate | None) -> str:
    """What may be said of one subject, in the only words that reports use for it.

    Args:
        decision: of the rule.
        missed: known members who were not found; None, or of nobody, where none is known.
    """
    if decision.inferred_member:
        return ASSOCIATED
    if missed is None or missed.value is None:
        return f"{NOT_ASSOCIATED}; how often members are missed is not known here"
    known = counted(missed.total, "known member")
    return f"{NOT_ASSOCIATED}; of {known} here {percent(missed.value)} are missed"


def stand_out_text(summary: PValueSummary) -> str:
    """Who stands out, and how many of them may be wrong."""
    found = counted(summary.discoveries, *STAND_OUT)
    said = f"{found} at a false discovery rate of {percent(summary.fdr, 0)}"
    if not summary.discoveries:
        return said
    wrong = summary.fdr * summary.discoveries
    return f"{said}: about {wrong:.1g} of them may be wrong, and nobody knows which"


def index_type(summary: IndexSummary) -> str:
    """An index's type, and how sure its names are."""
    if summary.exact:
        return f"{summary.kind}, exact"
    return f"{summary.kind}, quantized; names in doubt are encoded again, exactly"


def names_origin(pool: Mapping[str, Json] | None) -> str:
    """Where the names of a build come from, of the recipe in its manifest; None: none was drawn."""
    if pool is None:
        return "a list; none was drawn"
    how = "by frequency" if pool.get("weighted") else "every name equally likely"
    return f"{pool.get('pool')}: {pool.get('n')} drawn with seed {pool.get('seed')}, {how}"


def leak_warnings(baselines: Baselines | None) -> list[str]:
    """What must stand first if members can be told from non-members without their faces."""
    if baselines is None or not baselines.gate:
        return []
    said = "; ".join(f"{row.title}: AUC {row.auc:.2f}" for row in baselines.rows if row.fires)
    return [
        "The split leaks: without matching a face to its name, members can be told from "
        f"non-members with {percent(baselines.near, 0)} or more of the attack's advantage over "
        f"chance ({said}; the attack: AUC {baselines.attack_auc:.2f}). The rates below are no "
        "evidence that the model knows these faces. Take non-members whose names and photographs "
        "come from where the members' come from."
    ]


EXCESS = 0.05
"""Probability from which down too many small p-values of non-members are warned of."""


def small_text(small: SmallPValues) -> str:
    """What the number of small p-values of non-members says of all p-values."""
    found = (
        f"{small.at_most_5_percent:,} of {small.non_members:,} are at most 0.05, where "
        f"{small.expected:.3g} are expected; as many by chance: p = {p_value(small.excess_p_value)}"
    )
    if small.excess_p_value < EXCESS:
        return (
            f"Too many known non-members have a small p-value ({found}). So the true names may "
            "stand out from the control names for another reason than their faces, and the "
            "p-values of the others may be too small: take who stands out by them with care. "
            "One such test in twenty warns by chance."
        )
    return (
        f"No more known non-members have a small p-value than chance gives ({found}): no sign "
        "that p-values are too small. Among few non-members only a gross excess would show."
    )


def small_warnings(summary: PValueSummary) -> list[str]:
    """What must stand first if too many p-values of non-members are small."""
    small = summary.non_members_small
    return [small_text(small)] if small and small.excess_p_value < EXCESS else []


def notes(result: AuditResult) -> list[str]:
    """What a reader must know to read the figures right, a sentence each."""
    return [
        "An association is evidence that images of the person were in the training data together "
        "with the name; it is no proof. Finding none does not show that the person was left out.",
        _how_often_wrong(result),
        *_not_for_the_name(result),
        *_few_images(result),
        *_names_added_or_hidden(result),
        *_how_computed(result),
        *_how_loaded(result),
        *_left_out(result),
        *_people_left_out(result),
        *_one_candidate(result),
        *_rival_spellings(result),
    ]


def _not_for_the_name(result: AuditResult) -> list[str]:
    """Whose p-value rests on control names alone; docs/statistics.md has the figures."""
    alone = [s.name for s in result.subjects if s.p_value and s.name_fixed_p_value is None]
    if not alone:
        return []
    whose = "The p-value" if len(result.subjects) == 1 else f"{counted(len(alone), 'p-value')}"
    rests = "rests" if len(alone) == 1 else "rest"
    return [
        f"{whose} {rests} on control names alone, and {'is' if len(alone) == 1 else 'are'} not "
        f"valid for the single name: {NOT_VALID} Give --reference-faces, or test more than 20 "
        "people."
    ]


VERY_FEW, FEW = 3, 15  # images, of the 30 that the protocol takes


def _few_images(result: AuditResult) -> list[str]:
    """How much less verdicts of few images are worth; docs/statistics.md has the figures."""
    very_few = sum(subject.images < VERY_FEW for subject in result.subjects)
    few = sum(VERY_FEW <= subject.images < FEW for subject in result.subjects)
    have = ("of the people tested has", "of the people tested have")
    said = []
    if very_few:
        said.append(
            f"{counted(very_few, *have)} fewer than {VERY_FEW} images. With one image no vote can "
            "tie, so that chance associates more: in the controlled study 2.3% of non-members, and "
            "1.0% with 30 images. Of two, those that differ tie, and fewer members are "
            "found. Conclude nothing from so few images."
        )
    if few:
        said.append(
            f"{counted(few, *have)} fewer than {FEW} images, where the protocol takes 30: fewer "
            "members are found (in the controlled study 29% with 3 images, 44% with 5, 61% with "
            "30)."
        )
    return said


def _how_often_wrong(result: AuditResult) -> str:
    fpr = result.metrics.non_members if result.metrics else None
    if fpr is None or fpr.ci95 is None:
        return (
            "No subject here is a known non-member, so this audit does not measure how often "
            "the rule is wrong for this model."
        )
    return (
        f"{counted(fpr.hits, 'false positive')} among {counted(fpr.total, 'non-member')}: "
        f"a false positive rate of {percent(fpr.rate)} ({CI} {interval(fpr.ci95)}) if these "
        f"{fpr.total:,} are like the people to be judged; for a particular name it can be several "
        "times higher."
    )


def _names_added_or_hidden(result: AuditResult) -> list[str]:
    said = []
    added = [subject.name for subject in result.subjects if not subject.in_index]
    if added:
        were = ("of the subjects' names was", "of the subjects' names were")
        said.append(
            f"{counted(len(added), *were)} not among the index's candidates, but encoded for this "
            f"audit to compete with them: {', '.join(added)}."
        )
    if not all(subject.rivals_named for subject in result.subjects):
        said.append(
            "Where another name was predicted more often than the person's own, other names are "
            "not shown: this tests a name, and looks for none."
        )
    return said


def _how_computed(result: AuditResult) -> list[str]:
    said, index = [], result.index
    precisions = {index.fingerprint.precision, result.backend.precision}
    if precisions != {"float32"}:
        said.append(f"Not all was computed in float32: {', '.join(sorted(precisions))}.")
    return said


def _how_loaded(result: AuditResult) -> list[str]:
    """What the model's files did not say; wrong settings make members look like non-members."""
    assumed = [note for note in result.index.model_notes if note.startswith("assumed: ")]
    return [f"The model's files do not say everything; {note}." for note in assumed]


def _left_out(result: AuditResult) -> list[str]:
    skipped = sum(len(subject.skipped) for subject in result.subjects)
    if not skipped:
        return []
    return [f"{counted(skipped, 'file was', 'files were')} left out, and listed with the reason."]


def _people_left_out(result: AuditResult) -> list[str]:
    if not result.skipped:
        return []
    people = counted(len(result.skipped), "person was", "people were")
    named = ", ".join(each.name for each in result.skipped[:5])
    more = ", ..." if len(result.skipped) > 5 else ""
    return [f"{people} not tested, and listed with the reason: {named}{more}."]


def _one_candidate(result: AuditResult) -> list[str]:
    said = _with_spellings((each.name, each.spellings) for each in result.subjects)
    if not said:
        return []
    return [
        f"{len(said)} of the subjects' names are written otherwise among the candidates too; the "
        f"model reads both alike, and they were one candidate: {_listed(said)}."
    ]


def _rival_spellings(result: AuditResult) -> list[str]:
    said = _with_spellings((each.name, each.rival_spellings) for each in result.subjects)
    if not said:
        return []
    compete = ("of the subjects' names competes", "of the subjects' names compete")
    return [
        f"{counted(len(said), *compete)} with a candidate that may be the same name, and took "
        f"votes from it: {_listed(said)}. If it is the same name, remove that candidate from the "
        "index."
    ]


def _with_spellings(names: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    return [f"{name!r} ({', '.join(map(repr, others))})" for name, others in names if others]


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - NAMED:,} more" if len(items) > NAMED else ""
    return ", ".join(items[:NAMED]) + more
