"""Lists what was tested, with everything that a replay needs, as rows of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping

from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.language import _, number
from idia_index.report.text import index_type, names_origin
from idia_index.support.documents import to_json


def tested_rows(result: AuditResult) -> list[tuple[str, str]]:
    """Keys and values."""
    index, backend = result.index, result.backend
    model = index.fingerprint
    rows = [
        (_("model"), f"{index.model} ({index.backend})"),
        (_("weights"), f"SHA-256 {model.weights_sha256}"),
        (_("activation"), model.activation),
        (_("tokenizer"), model.tokenizer),
        (_("preprocessing"), model.preprocessing),
        (
            _("images encoded by"),
            _("{backend} on {device}, {precision}").format(
                backend=backend.name, device=backend.device, precision=backend.precision
            ),
        ),
        (_("index"), index_type(index)),
        (_("index folder"), index.path),
        (_("names"), f"{_names(result)}, SHA-256 {index.names_sha256}"),
        (_("names from"), names_origin(index.pool)),
        (_("index built with"), versions_text(index.versions)),
    ]
    if result.choices is not None:
        rows.append((_("chosen before the search"), f"SHA-256 {result.choices.sha256}"))
    return rows + (_replay_rows(result) if isinstance(result, EvaluationResult) else [])


def _replay_rows(result: EvaluationResult) -> list[tuple[str, str]]:
    replay, images = result.replay, result.image_sha256
    rows = [
        (_("subjects"), replay.subjects or _("not recorded")),
        (_("settings"), json.dumps(to_json(result.evaluation.settings))),
        (
            _("draws"),
            _("{drawing}; measured with seed {seed}").format(
                drawing=replay.drawing, seed=replay.measured_with_seed
            ),
        ),
        (_("evaluated with"), versions_text(replay.versions)),
        (_("to replay"), replay.command),
    ]
    if images:
        listed = _("{number}; path and SHA-256 of each in report.json")
        rows.append((_("images"), listed.format(number=number(len(images)))))
    return rows


def _names(result: AuditResult) -> str:
    """The number of candidate names, and how many were added for this audit."""
    added = sum(not subject.in_index for subject in result.subjects)
    text = number(result.candidates)
    if not added:
        return text
    return _("{names}, {added} of them added for this audit").format(names=text, added=added)


def versions_text(found: Mapping[str, str]) -> str:
    """Library versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())
