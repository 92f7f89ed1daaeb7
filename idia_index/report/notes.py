"""Writes the notes below every result: what a reader must know to interpret its figures."""

from __future__ import annotations

from collections.abc import Iterable

from idia_index.prompts.names import FEW_NAMES
from idia_index.report.documented import caution_text
from idia_index.report.documents import AuditResult
from idia_index.report.format import interval, percent
from idia_index.report.language import _, figure, ngettext, number
from idia_index.report.text import not_valid

NAMED = 20  # maximum people listed in a note
VERY_FEW, FEW = 3, 15  # images, of the protocol's 30


def notes(result: AuditResult) -> list[str]:
    """What a reader must know to interpret the figures, a sentence each."""
    return [
        _(
            "An association is evidence that images of the person were in the training data "
            "together with the name; it is not proof. Finding none does not show that the person "
            "was absent from the training data."
        ),
        _how_often_wrong(result),
        *_not_for_the_name(result),
        *_few_candidates(result),
        *_few_images(result),
        *_cropped(result),
        *map(caution_text, result.backend.cautions),
        *_names_added_or_hidden(result),
        *_nearly_candidates(result),
        *_how_computed(result),
        *_how_loaded(result),
        *_of_a_service(result),
        *_left_out(result),
        *_people_left_out(result),
        *_one_candidate(result),
        *changed_since(result),
        *_rival_spellings(result),
    ]


def changed_since(result: AuditResult) -> list[str]:
    """Settings changed after the photos were encoded, a sentence or none."""
    if result.choices is None or not result.choices.changed:
        return []
    said = _("Changed after the search, when the answers were known: {settings}.")
    return [said.format(settings=", ".join(result.choices.changed))]


def _not_for_the_name(result: AuditResult) -> list[str]:
    """People whose p-value rests on control names alone; figures in docs/statistics.md."""
    alone = [s.name for s in result.subjects if s.p_value and s.name_fixed_p_value is None]
    if not alone:
        return []
    if len(result.subjects) == 1:
        said = _("The p-value rests on control names alone, and is not valid for the single name:")
    else:
        said = ngettext(
            "{n} p-value rests on control names alone, and is not valid for the single name:",
            "{n} p-values rest on control names alone, and are not valid for the single name:",
            len(alone),
        )
    remedy = _("Give --reference-faces, or test more than 20 people.")
    return [f"{said} {not_valid()} {remedy}"]


def _few_candidates(result: AuditResult) -> list[str]:
    """How much more chance associates; docs/statistics.md has the figures."""
    if result.candidates >= FEW_NAMES:
        return []
    said = _(
        "Few candidate names compete: {n}, where the protocol takes 1,000. Chance then associates "
        "more people (in the controlled study 1.7% of non-members with 1,000 names, 6.7% with "
        "200, 10.8% with 100). Build the index with --sample-names 1000."
    )
    return [said.format(n=result.candidates)]


def _few_images(result: AuditResult) -> list[str]:
    """How reliable verdicts from few images are; figures in docs/statistics.md."""
    very_few = sum(subject.images < VERY_FEW for subject in result.subjects)
    few = sum(VERY_FEW <= subject.images < FEW for subject in result.subjects)
    said = []
    if very_few:
        have = ngettext(
            "{n} of the people tested has fewer than {fewest} images.",
            "{n} of the people tested have fewer than {fewest} images.",
            very_few,
        ).replace("{fewest}", str(VERY_FEW))
        why = _(
            "With one image, no vote can tie, so chance associates more: in the controlled study "
            "2.3% of non-members, against 1.0% with 30 images. With two, votes that differ tie, "
            "and fewer members are found. Draw no conclusion from so few images."
        )
        said.append(f"{have} {why}")
    if few:
        have = ngettext(
            "{n} of the people tested has fewer than {fewest} images, where the protocol takes 30:",
            "{n} of the people tested have fewer than {fewest} images, where the protocol takes "
            "30:",
            few,
        ).replace("{fewest}", str(FEW))
        why = _(
            "fewer members are found (in the controlled study 29% with 3 images, 44% with 5, 61% "
            "with 30)."
        )
        said.append(f"{have} {why}")
    return said


def _cropped(result: AuditResult) -> list[str]:
    if result.backend.crop == "none":
        return []
    return [
        _(
            "Every photo was cropped first ({crop}), which the paper's protocol does not do; the "
            "rates of whole photos do not hold for it."
        ).format(crop=result.backend.crop)
    ]


def _how_often_wrong(result: AuditResult) -> str:
    fpr = result.metrics.non_members if result.metrics else None
    if fpr is None or fpr.ci95 is None:
        return _(
            "No subject here is a known non-member, so this audit does not measure how often "
            "the rule is wrong for this model."
        )
    return _(
        "{wrong} among {people}: a false positive rate of {rate} (95% CI {interval}) if the "
        "non-members here are like the people to be judged; for a particular name it can be "
        "several times higher."
    ).format(
        wrong=ngettext("{n} false positive", "{n} false positives", fpr.hits),
        people=ngettext("{n} non-member", "{n} non-members", fpr.total),
        rate=percent(fpr.rate),
        interval=interval(fpr.ci95),
    )


def _names_added_or_hidden(result: AuditResult) -> list[str]:
    said = []
    added = [subject.name for subject in result.subjects if not subject.in_index]
    if added:
        were = ngettext(
            "{n} of the subjects' names was not among the index's candidates and was encoded for "
            "this audit to compete with them:",
            "{n} of the subjects' names were not among the index's candidates and were encoded "
            "for this audit to compete with them:",
            len(added),
        )
        said.append(f"{were} {', '.join(added)}.")
    if not all(subject.rivals_named for subject in result.subjects):
        said.append(
            _(
                "Where another name was predicted more often than the person's own, other names "
                "are not shown: this tests a given name and searches for none."
            )
        )
    return said


def _nearly_candidates(result: AuditResult) -> list[str]:
    """Names that may be misspelt, by their letters."""
    said = []
    near = _with_spellings((each.name, each.near_names or ()) for each in result.subjects)
    if near:
        may = ngettext(
            "{n} of these names is spelt almost like a candidate, and may be misspelt:",
            "{n} of these names are spelt almost like candidates, and may be misspelt:",
            len(near),
        )
        remedy = _("If it is, correct it and test again: the answer holds for the name as given.")
        said.append(f"{may} {_listed(near)}. {remedy}")
    if any(each.near_names is None for each in result.subjects):
        said.append(_("There were too many such names to check them for misspellings."))
    return said


def _how_computed(result: AuditResult) -> list[str]:
    said, index = [], result.index
    precisions = {index.fingerprint.precision, result.backend.precision}
    if precisions != {"float32"}:
        otherwise = _("Not everything was computed in float32:")
        said.append(f"{otherwise} {', '.join(sorted(precisions))}.")
    return said


def _how_loaded(result: AuditResult) -> list[str]:
    """Settings that the model's files do not state; wrong ones hide members."""
    assumed = [note for note in result.index.model_notes if note.startswith("assumed: ")]
    said = _("The model's files do not state every setting;")
    return [f"{said} {note}." for note in assumed]


def _of_a_service(result: AuditResult) -> list[str]:
    """What was sent to a hosted model, and the limits of its answers."""
    asked = result.backend.service
    if asked is None:
        return []
    kinds = [each.kind for each in asked.sent]
    said = [
        _(
            "The model was queried at {endpoint}, in {calls}: {texts} and {images} were sent "
            "there, each listed by its SHA-256 in the document, and {answers} taken from an "
            "earlier run."
        ).format(
            endpoint=asked.endpoint,
            calls=ngettext("{n} call", "{n} calls", asked.calls),
            texts=ngettext("{n} text", "{n} texts", kinds.count("text")),
            images=ngettext("{n} image", "{n} images", kinds.count("image")),
            answers=ngettext("{n} answer", "{n} answers", asked.remembered),
        )
    ]
    if asked.checked:
        known = ngettext(
            "The model behind the service is known by its behaviour alone: the last of {n} check "
            "was at {time}.",
            "The model behind the service is known by its behaviour alone: the last of {n} checks "
            "was at {time}.",
            len(asked.checked),
        )
        said.append(known.replace("{time}", asked.checked[-1]))
    if asked.noise is not None:
        apart = _(
            "Noise of the service's answers: the same input came back up to {noise} apart. "
            "Similarities that differ by no more than {tolerance} are not distinguished."
        ).format(noise=figure(f"{asked.noise:.1e}"), tolerance=figure(f"{asked.tolerance:.1e}"))
        if asked.undecided is not None:
            close = _("{number} of the predictions are that close, and may differ next time.")
            apart = f"{apart} {close.format(number=number(asked.undecided))}"
        said.append(apart)
    return said


def _left_out(result: AuditResult) -> list[str]:
    skipped = sum(len(subject.skipped) for subject in result.subjects)
    if not skipped:
        return []
    return [
        ngettext(
            "{n} file was left out; it is listed with the reason.",
            "{n} files were left out; they are listed with the reason.",
            skipped,
        )
    ]


def _people_left_out(result: AuditResult) -> list[str]:
    if not result.skipped:
        return []
    people = ngettext(
        "{n} person was not tested; they are listed with the reason:",
        "{n} people were not tested; they are listed with the reason:",
        len(result.skipped),
    )
    named = ", ".join(each.name for each in result.skipped[:5])
    more = ", ..." if len(result.skipped) > 5 else ""
    return [f"{people} {named}{more}."]


def _one_candidate(result: AuditResult) -> list[str]:
    said = _with_spellings((each.name, each.spellings) for each in result.subjects)
    if not said:
        return []
    were = _(
        "{n} of the subjects' names have other spellings among the candidates; the model reads "
        "them alike, and they counted as one candidate:"
    ).format(n=len(said))
    return [f"{were} {_listed(said)}."]


def _rival_spellings(result: AuditResult) -> list[str]:
    said = _with_spellings((each.name, each.rival_spellings) for each in result.subjects)
    if not said:
        return []
    compete = ngettext(
        "{n} of the subjects' names competes with a candidate that may be the same name, and took "
        "votes from it:",
        "{n} of the subjects' names compete with a candidate that may be the same name, and took "
        "votes from it:",
        len(said),
    )
    remedy = _("If it is the same name, remove that candidate from the index.")
    return [f"{compete} {_listed(said)}. {remedy}"]


def _with_spellings(names: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    return [f"{name!r} ({', '.join(map(repr, others))})" for name, others in names if others]


def _listed(items: list[str]) -> str:
    more = ""
    if len(items) > NAMED:
        more = " " + ngettext("and {n} more", "and {n} more", len(items) - NAMED)
    return ", ".join(items[:NAMED]) + more
