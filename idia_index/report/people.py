"""Describes people on a page, in words, with their faces where these may be shown."""

from __future__ import annotations

from pathlib import Path

from idia_index.encode.images import decode_image, open_image
from idia_index.errors import InputError
from idia_index.evaluation.records.rates import Share
from idia_index.evaluation.records.sensitivity import Firmness
from idia_index.report.documented import matched_text
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.format import interval, p_value, percent
from idia_index.report.html import jpeg_uri
from idia_index.report.language import _, figure, ngettext, number
from idia_index.report.likelihood import ratio_text
from idia_index.report.subject_result import SubjectResult
from idia_index.report.text import stand_out_text
from idia_index.support.files import sha256_of

FACES_SHOWN = 8
_FACE = 128
_FEW = (3, 5, 15)  # smaller numbers of images to show a verdict for


def by_chance(result: AuditResult) -> str:
    """The number of associations expected for as many control names; empty if unknown."""
    shares = [s.rule_null for s in result.subjects if s.rule_null is not None]
    if len(shares) < len(result.subjects):
        return ""
    said = _("; by chance, it would associate {number} of as many control names")
    return said.format(number=figure(f"{sum(shares):.1f}"))


def certainty(result: AuditResult) -> list[str]:
    """What is known about errors, a sentence each."""
    said = []
    if result.metrics is not None and result.metrics.tpr is not None:
        said.append(found_text(result.metrics.members))
    return said + _of_p_values(result)


def found_text(members: Share) -> str:
    """How many of the known members (at least one) were found."""
    return _("Of {members} {found}: {rate} (95% CI {interval}).").format(
        members=ngettext("{n} known member", "{n} known members", members.total),
        found=ngettext("{n} was found", "{n} were found", members.hits),
        rate=percent(members.rate),
        interval=interval(members.ci95),
    )


def _of_p_values(result: AuditResult) -> list[str]:
    said, alone = [], result.subjects[0]
    if len(result.subjects) == 1 and alone.p_value is not None and alone.smallest_p is not None:
        said.append(
            _("p = {p}, by {which} ({controls}, {references}).").format(
                p=p_value(alone.p_value),
                which=p_value_of(alone),
                controls=ngettext("{n} control name", "{n} control names", alone.controls or 0),
                references=ngettext(
                    "{n} comparable reference face",
                    "{n} comparable reference faces",
                    alone.references or 0,
                ),
            )
        )
    if not isinstance(result, EvaluationResult):
        return said
    summary = result.p_values
    if summary is not None and len(result.subjects) > 1:
        by = _("By p-values from matched control names, {people}.")
        said.append(by.format(people=stand_out_text(summary)))
    if summary is not None and summary.rule_null.rate is not None:
        said.append(
            _(
                "The plain rule associates a control name with the same images in {rate} of cases: "
                "that is its chance of a false positive if the true name means no more to the "
                "model than they do."
            ).format(rate=percent(summary.rule_null.rate, 2))
        )
    return said


def about(result: AuditResult, person: SubjectResult) -> list[str]:
    """The text below a person's votes."""
    said = []
    if person.controls is not None:
        by = matched_text(person.controls_matched_on or ())
        controls, matched = _("control names a person"), _("matched on")
        text = f"{controls}: {person.controls} ({matched} {by})."
        if person.smallest_p is not None:
            text = ngettext(
                "{n} control name matched on {by}; the smallest p they allow is {p}.",
                "{n} control names matched on {by}; the smallest p they allow is {p}.",
                person.controls,
            )
            text = text.replace("{by}", by).replace("{p}", p_value(person.smallest_p))
        if person.rule_null is not None:
            rule = _("The plain rule would associate {rate} of them with these images.")
            text = f"{text} {rule.format(rate=percent(person.rule_null, 2))}"
        said.append(text)
    if person.control_p_value is not None:
        said.append(_two_p_values(person))
    if result.calibration is not None:
        said.append(ratio_text(person, result.calibration))
    if isinstance(result, EvaluationResult) and person.firmness is not None:
        said.append(_depends_on(result, person, person.firmness))
    return said


def p_value_of(person: SubjectResult) -> str:
    """Which of the two p-values is the larger."""
    if person.p_value_of == "name fixed":
        return _("other people's photos under this name")
    return _("control names")


def _two_p_values(person: SubjectResult) -> str:
    """Both p-values, and which of them counts."""
    control = p_value(person.control_p_value or 1.0)
    if person.name_fixed_p_value is None:
        return _(
            "Among control names p = {p}; too few other people to say whether their photos fit "
            "the name as well."
        ).format(p=control)
    said = ngettext(
        "Among control names p = {p}; among the photos of {n} comparable other under this name "
        "p = {second}. The larger one counts.",
        "Among control names p = {p}; among the photos of {n} comparable others under this name "
        "p = {second}. The larger one counts.",
        person.references or 0,
    )
    said = said.replace("{p}", control).replace("{second}", p_value(person.name_fixed_p_value))
    photos = person.reference_photos or person.images
    if person.images < 2 * photos:
        return said
    more = ngettext(
        "The others have {n} photo each, so this person's were taken one at a time, and the second "
        "p is twice the median of the results.",
        "The others have {n} photos each, so this person's were taken {n} at a time, and the "
        "second p is twice the median of the results.",
        photos,
    )
    return f"{said} {more}"


def _depends_on(result: EvaluationResult, person: SubjectResult, firmness: Firmness) -> str:
    """How one verdict depends on settings."""
    parts = result.evaluation.sensitivity
    verdict = _("associated") if person.inferred_member else _("not associated")
    said = [_("Verdict: {verdict}").format(verdict=verdict)]
    if firmness.holds_up_to_tau is not None:
        said.append(_("it holds up to tau {tau}").format(tau=firmness.holds_up_to_tau))
    said += [
        _("associated in {share} of draws of {size} images").format(
            share=percent(share, 0), size=size
        )
        for size, share in zip(parts.sizes, firmness.inferred_share_by_images, strict=True)
        if size in _FEW
    ]
    counts = parts.templates.counts
    if len(counts) > 2:
        middle = len(counts) // 2
        chance = percent(firmness.inferred_share_by_templates[middle], 0)
        said.append(
            _("with {count} of the prompts in {share}").format(count=counts[middle], share=chance)
        )
    pools = zip(parts.pools.sizes, firmness.correct_prompts_by_pool, strict=True)
    told = ", ".join(
        _("{correct} among {names}").format(correct=correct, names=number(size))
        for size, correct in pools
    )
    by_pool = _("Correct prompts by candidate names: {found}.").format(found=told)
    return f"{'; '.join(said)}. {by_pool}"


def left_out(result: AuditResult) -> list[tuple[str, list[str]]]:
    """People excluded by the settings, and unusable files, with the reasons."""
    people = result.left_out if isinstance(result, EvaluationResult) else ()
    lists = [
        (_("People left out"), [f"{each.name}: {each.reason}" for each in people]),
        (_("Files left out"), [each.reason for s in result.subjects for each in s.skipped]),
    ]
    return [(title, lines) for title, lines in lists if lines]


def faces(result: AuditResult, person: SubjectResult) -> list[tuple[str, str]]:
    """Small copies of the first images as data URIs (empty if missing), and their paths."""
    hashes = result.image_sha256 if isinstance(result, EvaluationResult) else {}
    shown = []
    for file in person.image_files[:FACES_SHOWN]:
        try:
            image = _small_copy(Path(file), hashes.get(file))
        except InputError:  # has disappeared since the audit: its path stays
            shown.append(("", file))
            continue
        shown.append((image, file))
    return shown


def _small_copy(path: Path, sha256: str | None) -> str:
    """A data URI of a small copy of the image that was used.

    Raises:
        InputError: it cannot be read, or has changed.
    """
    with open_image(path) as file:
        # A results file gives the path; only the hash shows that it is still the same image.
        if sha256_of(file) != sha256:
            raise InputError(f"{path}: is not the image that was used")
        file.seek(0)
        image = decode_image(file, path).convert("RGB")
    image.thumbnail((_FACE, _FACE))
    return jpeg_uri(image, quality=80)
