"""The first and the last section of a page: the verdict with its uncertainty, and the manifest."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from idia_index.report.markup import bullets, interval, name_html, p_text, pairs, paragraph, percent
from idia_index.report.text import STAND_OUT, index_type, names_origin
from idia_index.support.text import counted


def verdict_html(data: dict[str, Any]) -> str:
    """Warnings, the verdict, and how sure it is."""
    subjects = data["subjects"]
    found = sum(subject["inferred_member"] for subject in subjects)
    alarms = [paragraph(warning, "alarm") for warning in data.get("warnings", ())]
    if len(subjects) == 1:
        lead = f"{name_html(subjects[0]['name'])}: {escape(subjects[0]['verdict'])}."
    else:
        lead = (
            f"For <strong>{found:,} of {len(subjects):,}</strong> people the model associates "
            "the face with the name."
        )
    return "\n".join(
        [
            "<h1>Identity inference audit</h1>",
            paragraph(
                f"{data['index']['fingerprint']['architecture']}, "
                f"{counted(len(data['templates']), 'prompt')} "
                f"with {data['candidates']:,} candidate names each, tau {data['tau']}",
                "lead",
            ),
            *alarms,
            f'<p class="verdict">{lead}</p>',
            bullets([*_certainty(data), *data["notes"]]),
        ]
    )


def _certainty(data: dict[str, Any]) -> list[str]:
    """What is known of errors, a sentence each."""
    said = []
    metrics, summary = data["metrics"], data.get("p_values")
    if metrics is not None and metrics["tpr"] is not None:
        said.append(
            f"Of {counted(metrics['tp'] + metrics['fn'], 'known member')} {metrics['tp']} "
            f"{'was' if metrics['tp'] == 1 else 'were'} found: "
            f"{percent(metrics['tpr'])} (95% interval {interval(metrics['tpr_ci95'])})."
        )
    if summary and len(data["subjects"]) == 1:
        (subject,) = data["subjects"]
        said.append(
            f"p = {p_text(subject['p_value'])}: the rank of the name among {subject['controls']} "
            f"control names (the smallest p they allow is {p_text(subject['smallest_p'])})."
        )
    elif summary:
        said.append(
            "By p-values from matched control names, "
            f"{counted(summary['discoveries'], *STAND_OUT)} at a false discovery rate of "
            f"{percent(summary['fdr'], 0)}."
        )
    if summary and summary["rule_null"]["rate"] is not None:
        said.append(
            f"The plain rule associates a control name with the same images in "
            f"{percent(summary['rule_null']['rate'], 2)} of cases: that is its chance of a false "
            "positive if the true name means no more to the model than they do."
        )
    return said


def manifest_html(data: dict[str, Any]) -> str:
    """What was tested, with everything that a replay needs."""
    index, backend = data["index"], data["backend"]
    print_, replay = index["fingerprint"], data.get("replay", {})
    rows = [
        ("model", f"{index['model']} ({index['backend']})"),
        ("weights", f"SHA-256 {print_['weights_sha256']}"),
        ("activation", print_["activation"]),
        ("tokenizer", print_["tokenizer"]),
        ("preprocessing", print_["preprocessing"]),
        ("images encoded by", f"{backend['name']} on {backend['device']}, {backend['precision']}"),
        ("index", index_type(index)),
        ("index folder", index["path"]),
        ("names", f"{index_names(data)}, SHA-256 {index['names_sha256']}"),
        ("names from", names_origin(index["pool"])),
        ("index built with", versions(index["versions"])),
    ]
    if replay:
        settings = data["evaluation"]["settings"] if data.get("evaluation") else {}
        rows += [
            ("subjects", str(replay.get("subjects", "not recorded"))),
            ("settings", json.dumps(settings)),
            ("draws", f"{replay['drawing']}; measured with seed {replay['measured_with_seed']}"),
            ("evaluated with", versions(replay["versions"])),
            ("to replay", replay["command"]),
        ]
    hashes = data.get("image_sha256", {})
    if hashes:
        rows.append(("images", f"{len(hashes):,}; path and SHA-256 of each in report.json"))
    return "<h2>What was tested</h2>" + pairs(rows)


def index_names(data: dict[str, Any]) -> str:
    """How many candidate names, and how many of them only for this audit."""
    added = sum(not subject["in_index"] for subject in data["subjects"])
    text = f"{data['candidates']:,}"
    return f"{text}, {added} of them added for this audit" if added else text


def versions(found: dict[str, str]) -> str:
    """Library versions in a line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())
