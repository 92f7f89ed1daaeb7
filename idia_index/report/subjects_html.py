"""The table of subjects, with the votes of each prompt, and who or what was left out."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from idia_index.encode.images import decode_image, open_image
from idia_index.errors import InputError
from idia_index.report.markup import (
    bullets,
    name_html,
    p_text,
    paragraph,
    percent,
    table,
)
from idia_index.report.text import ANOTHER
from idia_index.support.files import sha256_of

ROLE = {"member": "member", "non_member": "non-member", None: "not known"}
VOTES_SHOWN = 200
FACES_SHOWN = 8
LISTED = 50
_FACE = 128
_FEW = (3, 5, 15)  # numbers of images that a verdict is also told for


def subjects_html(data: dict[str, Any], *, include_images: bool) -> str:
    """All subjects, those with most correct prompts first."""
    people = sorted(data["subjects"], key=lambda s: (-s["correct_prompts"], s.get("p_value", 0)))
    tested = "p_values" in data
    columns = [("person", "l"), ("prompts", "n"), ("associated", "")]
    if tested:
        columns += [("p", "n"), ("adjusted p", "n"), ("firm from (images)", "n")]
    columns += [("truth", ""), ("training images", "n"), ("images", "n")]
    rows = [_row(data, person) for person in people]
    told = ""
    if tested:
        told = (
            "Firm from: the number of images from which 95% of draws give the verdict of all "
            "images."
        )
    first = _example(data, people[0])
    return (
        "<h2>People</h2>"
        + (paragraph(told, "small") if told else "")
        + table(columns, rows, kind="wide")
        + first
        + _all_votes(data, people, faces=include_images)
    )


def _all_votes(data: dict[str, Any], people: Sequence[dict[str, Any]], *, faces: bool) -> str:
    """The votes of each person, folded, on the screen only."""
    shown = people[:VOTES_SHOWN]
    parts = [
        f"<details><summary>{name_html(person['name'])}: {person['correct_prompts']} of "
        f"{len(data['templates'])}</summary>"
        f"{_votes(data, person)}{_faces(person, data) if faces else ''}</details>"
        for person in shown
    ]
    more = ""
    if len(people) > len(shown):
        more = paragraph(f"... and {len(people) - len(shown)} more in report.json", "small")
    heading = "<h3>Votes of each prompt: everybody</h3>"
    return f'<div class="screen">{heading}{"".join(parts)}{more}</div>'


def _row(data: dict[str, Any], person: dict[str, Any]) -> list[str]:
    row = [
        name_html(person["name"]),
        f"{person['correct_prompts']} of {len(data['templates'])}",
        "yes" if person["inferred_member"] else "no",
    ]
    if "p_value" in person:
        row += [p_text(person["p_value"]), p_text(person["q_value"]), _firm(person["firmness"])]
    count = person["training_count"]
    return [
        *row,
        ROLE[person["membership"]],
        "" if count is None else f"{count:,}",
        str(person["images"]),
    ]


def _firm(firmness: dict[str, Any]) -> str:
    images = firmness["firm_from_images"]
    text = "-" if images is None else str(images)
    return text if firmness["holds_in_every_pool"] else f"{text}; not in every pool"


def _votes(data: dict[str, Any], person: dict[str, Any]) -> str:
    rows = []
    for template, vote in zip(data["templates"], person["votes"], strict=True):
        share = vote["count"] / person["images"]
        own = vote["winner"] == person["candidate"]
        winner = "tie, no winner"
        if not vote["tie"]:
            winner = name_html(vote["winner"]) if own or person["rivals_named"] else ANOTHER
        if own:
            winner = f"<strong>{winner}</strong>"
        rows.append([escape(template), winner, f"{vote['count']} of {person['images']}",
                     _small_bar(share)])  # fmt: skip
    columns = [("prompt", ""), ("most frequent name", ""), ("images", "n"), ("", "l")]
    return table(columns, rows) + _matched(person) + _sensitivity(data, person)


def _small_bar(share: float) -> str:
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect y="1" width="{100 * share:.1f}" height="8" fill="#7da7c9"/></svg>'
    )


def _matched(person: dict[str, Any]) -> str:
    if "p_value" not in person:
        return ""
    by = ", ".join(person["controls_matched_on"]) or "nothing"
    null = person["rule_null"]
    text = (
        f"{person['controls']} control names matched on {by}; the smallest p they allow is "
        f"{p_text(person['smallest_p'])}."
    )
    if null is not None:
        text += f" The plain rule would associate {percent(null, 2)} of them with these images."
    return paragraph(text, "small")


def _sensitivity(data: dict[str, Any], person: dict[str, Any]) -> str:
    """What one verdict depends on, in words."""
    if "firmness" not in person:
        return ""
    firm, parts = person["firmness"], data["evaluation"]["sensitivity"]
    inferred = "associated" if person["inferred_member"] else "not associated"
    said = [f"Verdict: {inferred}"]
    if firm["holds_up_to_tau"] is not None:
        said.append(f"it holds up to tau {firm['holds_up_to_tau']}")
    shares = firm["inferred_share_by_images"]
    few = [place for place, size in enumerate(parts["sizes"]) if size in _FEW]
    said += [
        f"associated in {percent(shares[place], 0)} of draws of {parts['sizes'][place]} images"
        for place in few
    ]
    counts, chances = parts["templates"]["counts"], firm["inferred_share_by_templates"]
    if len(counts) > 2:
        middle = len(counts) // 2
        said.append(f"with {counts[middle]} of the prompts in {percent(chances[middle], 0)}")
    pools = zip(parts["pools"]["sizes"], firm["correct_prompts_by_pool"], strict=True)
    told = ", ".join(f"{correct} among {size:,}" for size, correct in pools)
    return paragraph(f"{'; '.join(said)}. Correct prompts by candidate names: {told}.", "small")


def _example(data: dict[str, Any], person: dict[str, Any]) -> str:
    """The votes of the first person, open, as they also stand in the print."""
    if not person["correct_prompts"]:
        return ""
    heading = f"<h3>Votes of each prompt: {name_html(person['name'])}</h3>"
    return heading + _votes(data, person)


def _faces(person: dict[str, Any], data: dict[str, Any]) -> str:
    """Small copies of the first images."""
    hashes = data.get("image_sha256", {})
    shown = []
    for number, file in enumerate(person["image_files"][:FACES_SHOWN], 1):
        try:
            image = _small_copy(Path(file), hashes.get(file))
        except InputError:  # was read for the audit and has gone since: its path stays
            shown.append(f'<span class="mono">{escape(file)}</span>')
            continue
        data_uri = base64.b64encode(image).decode("ascii")
        shown.append(f'<img alt="attack image {number}" src="data:image/jpeg;base64,{data_uri}">')
    return f'<p class="faces">{"".join(shown)}</p>'


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


def left_out_html(data: dict[str, Any]) -> str:
    """People whom the settings leave out, and files that could not be used."""
    people = [f"{entry['name']}: {entry['reason']}" for entry in data.get("left_out", ())]
    files = [entry["reason"] for subject in data["subjects"] for entry in subject["skipped"]]
    parts = []
    for title, lines in (("People left out", people), ("Files left out", files)):
        if lines:
            more = [f"... and {len(lines) - LISTED} more; report.json has all"]
            listed = lines[:LISTED] + (more if len(lines) > LISTED else [])
            parts.append(f"<h2>{title}: {len(lines)}</h2>{bullets(listed)}")
    return "".join(parts)
