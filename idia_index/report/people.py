"""What a page says of the people, in words, and their faces where they may be shown."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from idia_index.encode.images import decode_image, open_image
from idia_index.errors import InputError
from idia_index.evaluation.records.rates import Share
from idia_index.evaluation.records.sensitivity import Firmness
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.format import interval, p_value, percent
from idia_index.report.language import _, ngettext
from idia_index.report.subject_result import SubjectResult
from idia_index.report.text import stand_out_text
from idia_index.support.files import sha256_of
from idia_index.support.text import counted

FACES_SHOWN = 8
_FACE = 128
_FEW = (3, 5, 15)  # numbers of images that a verdict is also told for


def by_chance(result: AuditResult) -> str:
    """How many associations there would be of as many names like theirs; empty if not known."""
    shares = [s.rule_null for s in result.subjects if s.rule_null is not None]
    if len(shares) < len(result.subjects):
        return ""
    said = _("; of as many control names it would by chance associate {number}")
    return said.format(number=f"{sum(shares):.1f}")


def certainty(result: AuditResult) -> list[str]:
    """What is known of errors, a sentence each."""
    said = []
    if result.metrics is not None and result.metrics.tpr is not None:
        said.append(found_text(result.metrics.members))
    return said + _of_p_values(result)


def found_text(members: Share) -> str:
    """How many of the known members were found, at least one being known."""
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
            f"p = {p_value(alone.p_value)}, by {alone.p_value_of} ({alone.controls} control names, "
            f"{counted(alone.references or 0, 'comparable reference face')})."
        )
    if not isinstance(result, EvaluationResult):
        return said
    summary = result.p_values
    if len(result.subjects) > 1:
        by = _("By p-values from matched control names, {people}.")
        said.append(by.format(people=stand_out_text(summary)))
    if summary.rule_null.rate is not None:
        said.append(
            _(
                "The plain rule associates a control name with the same images in {rate} of cases: "
                "that is its chance of a false positive if the true name means no more to the "
                "model than they do."
            ).format(rate=percent(summary.rule_null.rate, 2))
        )
    return said


def about(result: AuditResult, person: SubjectResult) -> list[str]:
    """What is said below the votes of a person."""
    said = []
    if person.controls is not None and person.smallest_p is not None:
        by = ", ".join(person.controls_matched_on or ()) or "nothing"
        text = (
            f"{person.controls} control names matched on {by}; the smallest p they allow is "
            f"{p_value(person.smallest_p)}."
        )
        if person.rule_null is not None:
            text += (
                f" The plain rule would associate {percent(person.rule_null, 2)} of them with "
                "these images."
            )
        said.append(text)
    if person.control_p_value is not None:
        said.append(_two_p_values(person))
    if isinstance(result, EvaluationResult) and person.firmness is not None:
        said.append(_depends_on(result, person, person.firmness))
    return said


def _two_p_values(person: SubjectResult) -> str:
    """Both p-values, and which of them counts."""
    among = f"Among control names p = {p_value(person.control_p_value or 1.0)}"
    if person.name_fixed_p_value is None:
        return f"{among}; too few other people to say whether their photos fit the name as well."
    others = counted(person.references or 0, "comparable other")
    said = (
        f"{among}; among the photos of {others} under this name p = "
        f"{p_value(person.name_fixed_p_value)}. The larger one counts."
    )
    photos = person.reference_photos or person.images
    if person.images < 2 * photos:
        return said
    return (
        f"{said} The others have {counted(photos, 'photo')} each, so this person's were taken "
        f"{photos} at a time, and the second p is twice the median of what they gave."
    )


def _depends_on(result: EvaluationResult, person: SubjectResult, firmness: Firmness) -> str:
    """What one verdict depends on."""
    parts = result.evaluation.sensitivity
    said = [f"Verdict: {'associated' if person.inferred_member else 'not associated'}"]
    if firmness.holds_up_to_tau is not None:
        said.append(f"it holds up to tau {firmness.holds_up_to_tau}")
    said += [
        f"associated in {percent(share, 0)} of draws of {size} images"
        for size, share in zip(parts.sizes, firmness.inferred_share_by_images, strict=True)
        if size in _FEW
    ]
    counts = parts.templates.counts
    if len(counts) > 2:
        middle = len(counts) // 2
        chance = firmness.inferred_share_by_templates[middle]
        said.append(f"with {counts[middle]} of the prompts in {percent(chance, 0)}")
    pools = zip(parts.pools.sizes, firmness.correct_prompts_by_pool, strict=True)
    told = ", ".join(f"{correct} among {size:,}" for size, correct in pools)
    return f"{'; '.join(said)}. Correct prompts by candidate names: {told}."


def left_out(result: AuditResult) -> list[tuple[str, list[str]]]:
    """People whom the settings leave out, and files that could not be used, with the reasons."""
    people = result.left_out if isinstance(result, EvaluationResult) else ()
    lists = [
        (_("People left out"), [f"{each.name}: {each.reason}" for each in people]),
        (_("Files left out"), [each.reason for s in result.subjects for each in s.skipped]),
    ]
    return [(title, lines) for title, lines in lists if lines]


def faces(result: AuditResult, person: SubjectResult) -> list[tuple[str, str]]:
    """Small copies of the first images as data URIs, empty where one has gone; and their paths."""
    hashes = result.image_sha256 if isinstance(result, EvaluationResult) else {}
    shown = []
    for file in person.image_files[:FACES_SHOWN]:
        try:
            image = _small_copy(Path(file), hashes.get(file))
        except InputError:  # was read for the audit and has gone since: its path stays
            shown.append(("", file))
            continue
        encoded = base64.b64encode(image).decode("ascii")
        shown.append((f"data:image/jpeg;base64,{encoded}", file))
    return shown


def _small_copy(path: Path, sha256: str | None) -> bytes:
    """A small JPEG of the very image that was used.

    Raises:
        InputError: it cannot be read, or is another image by now.
    """
    with open_image(path) as file:
        # A results file says which paths; only its hash says that the image there is meant.
        if sha256_of(file) != sha256:
            raise InputError(f"{path}: is not the image that was used")
        file.seek(0)
        image = decode_image(file, path).convert("RGB")
    image.thumbnail((_FACE, _FACE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()
