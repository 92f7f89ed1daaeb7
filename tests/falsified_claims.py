"""Reports falsified in one place each, and where a replay must detect it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toy_world import name_of

Report = dict[str, Any]


def someone(data: Report) -> Report:
    """A member whom the model knows."""
    return next(s for s in data["subjects"] if s["name"] == name_of(5))


WHO = f"subjects[{name_of(5)}]"
FALSIFIED: dict[str, tuple[Callable[[Report], object], set[str]]] = {
    "false positives": (
        lambda d: d["metrics"].update(fp=99, fpr=0.5, fpr_ci95=[0.4, 0.6]),
        {"metrics.fp", "metrics.fpr", "metrics.fpr_ci95[0]", "metrics.fpr_ci95[1]"},
    ),
    "candidates": (lambda d: d.update(candidates=5), {"candidates"}),
    "tau": (lambda d: d.update(tau=3), {"tau"}),
    "verdict": (lambda d: someone(d).update(verdict="guilty"), {f"{WHO}.verdict"}),
    "decision": (lambda d: someone(d).update(inferred_member=False), {f"{WHO}.inferred_member"}),
    "a number for a decision": (
        lambda d: someone(d).update(inferred_member=1), {f"{WHO}.inferred_member"}
    ),
    "notes": (lambda d: d["notes"].__setitem__(0, "This is proof."), {"notes[0]"}),
    "warnings": (lambda d: d["warnings"].append("all is well"), {"warnings[0]"}),
    "training count": (
        lambda d: someone(d).update(training_count=1000), {f"{WHO}.training_count"}
    ),
    "membership": (
        lambda d: someone(d).update(membership="non_member"), {f"{WHO}.membership"}
    ),
    "correct prompts": (
        lambda d: someone(d).update(correct_prompts=2), {f"{WHO}.correct_prompts"}
    ),
    "winner": (
        lambda d: someone(d)["votes"][4].update(winner="Adolf X"), {f"{WHO}.votes[4].winner"}
    ),
    "count": (lambda d: someone(d)["votes"][4].update(count=0), {f"{WHO}.votes[4].count"}),
    "margin": (lambda d: someone(d).update(margin=0.5), {f"{WHO}.margin"}),
    "p-value": (lambda d: someone(d).update(p_value=1.0), {f"{WHO}.p_value"}),
    "q-value": (lambda d: someone(d).update(q_value=1.0), {f"{WHO}.q_value"}),
    "discoveries": (
        lambda d: d["p_values"].update(discoveries=0), {"p_values.discoveries"}
    ),
    "an image more": (lambda d: someone(d).update(images=50), {f"{WHO}.images"}),
    "a rate of a curve": (
        lambda d: d["evaluation"]["curves"]["fpr"]["mean"].__setitem__(0, 0.0001),
        {"evaluation.curves.fpr.mean[0]"},
    ),
    "the gate": (
        lambda d: d["evaluation"]["baselines"].update(gate=True), {"evaluation.baselines.gate"}
    ),
    "the model": (lambda d: d["index"].update(model="another"), {"index.model"}),
    "a section more": (lambda d: d.update(conclusion="innocent"), {"conclusion"}),
}  # fmt: skip
