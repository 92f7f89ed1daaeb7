"""Audit results as data and files: the JSON document of the contract, a CSV, a page."""

from __future__ import annotations

import csv
import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from idia_index.audit import AuditResult, SubjectResult
from idia_index.errors import InputError
from idia_index.evaluation import Metrics, evaluate_decisions
from idia_index.report_html import audit_html
from idia_index.wording import notes, verdict
from idia_index.store import sha256_file, write_whole
from idia_index.votes import TIE

FORMAT = "idia-index/audit/1"

def audit_to_json(result: AuditResult) -> dict[str, Any]:
    """An audit as JSON data, format `idia-index/audit/1` (see docs/formats.md)."""
    metrics: Metrics | None = evaluate_decisions(result.subjects)
    index = result.index
    return {
        "format": FORMAT,
        "protocol": "jair2024",
        "tau": result.tau,
        "templates": [template.text for template in index.templates],
        "candidates": len(index),
        "index": {"path": str(index.path.resolve()), **index.manifest.summary()},
        "backend": result.backend,
        "subjects": [_subject_json(result, r) for r in result.subjects],
        "metrics": metrics.to_json() if metrics else None,
        "notes": notes(result),
    }


def _subject_json(result: AuditResult, r: SubjectResult) -> dict[str, Any]:
    name = result.index.name
    return {
        "name": r.subject.name,
        "candidate": name(r.name_id),
        "in_index": r.in_index,
        "images": len(r.subject.images),
        "correct_prompts": r.decision.correct_prompts,
        "inferred_member": r.decision.inferred_member,
        "verdict": verdict(r),
        "membership": r.subject.membership,
        "training_count": r.subject.training_count,
        "votes": [
            {
                "template": template,
                "winner": None if winner == TIE else name(winner),
                "count": count,
                "tie": winner == TIE,
            }
            for template, (winner, count) in enumerate(
                zip(r.winners.tolist(), r.counts.tolist(), strict=True)
            )
        ],
        "image_files": [os.fsdecode(path) for path in r.subject.images],
        "skipped": [{"file": os.fsdecode(s.path), "reason": s.reason} for s in r.skipped],
    }


def runners_up(result: AuditResult, r: SubjectResult, top: int) -> list[dict[str, Any]]:
    """The names predicted most often for a named subject, over all templates and images."""
    ids, counts = np.unique(r.predictions, return_counts=True)
    best = np.argsort(-counts, kind="stable")[:top]
    return [
        {
            "name": result.index.name(int(ids[i])),
            "votes": int(counts[i]),
            "share": float(counts[i] / r.predictions.size),
        }
        for i in best
    ]


def _image_hashes(result: AuditResult) -> dict[str, str]:
    """SHA-256 of every image that was used, by its path as the report names it."""
    return {
        os.fsdecode(path): sha256_file(path) for r in result.subjects for path in r.subject.images
    }


def write_report(result: AuditResult, folder: Path) -> None:
    """Writes report.json, subjects.csv and index.html; raises InputError if it cannot."""
    data = {**audit_to_json(result), "image_sha256": _image_hashes(result)}
    write_files(
        folder,
        {
            "report.json": json.dumps(data, indent=1, ensure_ascii=False) + "\n",
            "subjects.csv": subjects_csv(result),
            "index.html": audit_html(result),
        },
    )


def subjects_csv(result: AuditResult) -> str:
    """A line per subject, with columns; safe to open in a spreadsheet."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["name", "images", "correct_prompts", "inferred_member", "membership", "training_count"]
    )
    for r in result.subjects:
        writer.writerow(
            [
                _cell(r.subject.name),
                len(r.subject.images),
                r.decision.correct_prompts,
                str(r.decision.inferred_member).lower(),
                r.subject.membership or "",
                "" if r.subject.training_count is None else r.subject.training_count,
            ]
        )
    return out.getvalue()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Writes a report's files, for their owner only; raises InputError if it cannot."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder"
        ) from error
    for name, text in files.items():
        # Paths may hold bytes that are no UTF-8; the report shows them escaped.
        write_whole(folder / name, text.encode("utf-8", "backslashreplace"))
