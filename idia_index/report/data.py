"""Audits and evaluations as JSON data: the documents of the contract, and what a page shows."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from idia_index._version import __version__
from idia_index.decide.disclosure import may_be_named
from idia_index.decide.results import AuditResult, SubjectResult
from idia_index.decide.votes import TIE
from idia_index.evaluation.analysis import analyse, select
from idia_index.evaluation.decisions import Metrics, evaluate_decisions
from idia_index.evaluation.draws import ALGORITHM
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.people import p_value_summary, subject_tests
from idia_index.evaluation.settings import Settings
from idia_index.report.text import leak_warnings, notes, uniform_warnings, verdict

AUDIT_FORMAT = "idia-index/audit/1"
EVALUATION_FORMAT = "idia-index/evaluation/1"


def audit_to_json(result: AuditResult) -> dict[str, Any]:
    """An audit as JSON data, format `idia-index/audit/1`.

    A vote's `winner` is null for a tie alone. Where `rivals_named` is false, what is shown to
    people names no rival (`rivals`).
    """
    metrics: Metrics | None = evaluate_decisions(result.subjects)
    index = result.index
    return {
        "format": AUDIT_FORMAT,
        "protocol": "jair2024",
        "tau": result.tau,
        "templates": [template.text for template in index.templates],
        "candidates": len(index),
        "index": {"path": os.fsdecode(index.path.resolve()), **index.manifest.summary()},
        "backend": result.backend,
        "subjects": [_subject_json(result, r) for r in result.subjects],
        "skipped": [{"name": each.name, "reason": each.reason} for each in result.skipped],
        "metrics": metrics.to_json() if metrics else None,
        "notes": notes(result),
    }


def _subject_json(result: AuditResult, r: SubjectResult) -> dict[str, Any]:
    name = result.index.name
    return {
        "name": r.subject.name,
        "candidate": name(r.name_id),
        "in_index": r.in_index,
        "spellings": list(r.spellings),
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
        "rivals_named": may_be_named(r.predictions, r.name_id),
        "image_files": [os.fsdecode(path) for path in r.subject.images],
        "skipped": _skipped_json(r),
    }


def _skipped_json(r: SubjectResult) -> list[dict[str, str]]:
    return [{"file": os.fsdecode(s.path), "reason": s.reason} for s in r.skipped]


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


def evaluation_to_json(evidence: Evidence, settings: Settings) -> dict[str, Any]:
    """An evaluation as JSON data, format `idia-index/evaluation/1`: an audit's keys and more.

    Raises:
        InputError: the settings leave nobody, or do not fit what was measured.
    """
    chosen, left_out = select(evidence, settings)
    analysis = analyse(chosen, settings)
    data = audit_to_json(replace(chosen.audit, skipped=()))  # they are among `left_out`
    del data["skipped"]
    summary = p_value_summary(chosen)
    firmness = analysis["sensitivity"].pop("subjects")
    tests = subject_tests(chosen)
    for subject, test, firm in zip(data["subjects"], tests, firmness, strict=True):
        subject.update(test)
        subject["firmness"] = firm
    return {
        **data,
        "format": EVALUATION_FORMAT,
        "warnings": [
            *evidence.origin.get("warnings", ()),
            *leak_warnings(analysis["baselines"]),
            *uniform_warnings(summary),
        ],
        "left_out": left_out,
        "p_values": summary,
        "evaluation": analysis,
        "replay": {
            **replay_json(evidence.origin, evidence.seed),
            "also_measured": _also_measured(evidence, chosen),
        },
    }


def report_to_json(evidence: Evidence, settings: Settings) -> dict[str, Any]:
    """The content of report.json: `evaluation_to_json`'s, the images' hashes a part of their own.

    Raises:
        InputError: as `evaluation_to_json`.
    """
    data = evaluation_to_json(evidence, settings)
    data["image_sha256"] = data["replay"].pop("image_sha256")
    return data


def _also_measured(evidence: Evidence, chosen: Evidence) -> list[dict[str, Any]]:
    """Subjects whose images count for the others' p-values, though the settings leave them out."""
    shown = {r.subject.name for r in chosen.audit.subjects}
    return [
        {
            "name": r.subject.name,
            "place": place,
            "membership": r.subject.membership,
            "training_count": r.subject.training_count,
            "image_files": [os.fsdecode(path) for path in r.subject.images],
            "skipped": _skipped_json(r),
        }
        for place, r in enumerate(evidence.audit.subjects)
        if r.subject.name not in shown
    ]


def replay_json(origin: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What a replay needs beside the index and the settings."""
    return {
        "command": "idia-index replay report.json",
        "drawing": ALGORITHM,
        "measured_with_seed": seed,
        **origin,
        "versions": {
            "idia-index": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
