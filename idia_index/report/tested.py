"""What was tested, with everything that a replay needs, as rows of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping

from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.text import index_type, names_origin
from idia_index.support.documents import to_json


def tested_rows(result: AuditResult) -> list[tuple[str, str]]:
    """Keys and values."""
    index, backend = result.index, result.backend
    model = index.fingerprint
    rows = [
        ("model", f"{index.model} ({index.backend})"),
        ("weights", f"SHA-256 {model.weights_sha256}"),
        ("activation", model.activation),
        ("tokenizer", model.tokenizer),
        ("preprocessing", model.preprocessing),
        ("images encoded by", f"{backend.name} on {backend.device}, {backend.precision}"),
        ("index", index_type(index)),
        ("index folder", index.path),
        ("names", f"{_names(result)}, SHA-256 {index.names_sha256}"),
        ("names from", names_origin(index.pool)),
        ("index built with", versions_text(index.versions)),
    ]
    return rows + (_replay_rows(result) if isinstance(result, EvaluationResult) else [])


def _replay_rows(result: EvaluationResult) -> list[tuple[str, str]]:
    replay, images = result.replay, result.image_sha256
    rows = [
        ("subjects", replay.subjects or "not recorded"),
        ("settings", json.dumps(to_json(result.evaluation.settings))),
        ("draws", f"{replay.drawing}; measured with seed {replay.measured_with_seed}"),
        ("evaluated with", versions_text(replay.versions)),
        ("to replay", replay.command),
    ]
    if images:
        rows.append(("images", f"{len(images):,}; path and SHA-256 of each in report.json"))
    return rows


def _names(result: AuditResult) -> str:
    """How many candidate names, and how many of them only for this audit."""
    added = sum(not subject.in_index for subject in result.subjects)
    text = f"{result.candidates:,}"
    return f"{text}, {added} of them added for this audit" if added else text


def versions_text(found: Mapping[str, str]) -> str:
    """Library versions in a line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())
