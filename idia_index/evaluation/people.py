"""P-values of all subjects as JSON data, with what they assume and what they cannot show."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from idia_index.evaluation.analysis import pairs_json
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.pvalues import adjusted, passing, uniform_distance
from idia_index.subjects.subjects import MEMBER, NON_MEMBER

FDR = 0.05

ASSUMPTION = (
    "If the model does not know the person, the true name is exchangeable with the control names: "
    "for these images it is as likely as any of them to score highest. Control names are matched "
    "as stated; what else sets the true name apart (a famous namesake, a rare spelling) can make "
    "p-values too small or too large."
)
CALIBRATED = (
    "Score: mean cosine similarity of the images to the name over all prompts, standardised by the "
    "same name's similarity to the other subjects' images."
)
RAW = (
    "Score: mean cosine similarity of the images to the name over all prompts. With so few "
    "subjects it cannot be corrected for names that attract every image."
)


def subject_tests(evidence: Evidence) -> list[dict[str, Any]]:
    """Per subject: p-value, adjusted p-value, controls, and the plain rule under the same null."""
    controls, tau = evidence.controls, evidence.audit.tau
    q_values = adjusted(controls.p_values)
    out = []
    for person, count in enumerate(controls.counts.tolist()):
        out.append(
            {
                "p_value": float(controls.p_values[person]),
                "q_value": float(q_values[person]),
                "controls": count,
                "smallest_p": 1 / (count + 1),
                "controls_matched_on": list(controls.by[person]),
                "rule_null": controls.rule_positives(person, tau) / count if count else None,
                "margin": float(evidence.measured.margins[person]),
            }
        )
    return out


def p_value_summary(evidence: Evidence) -> dict[str, Any]:
    """The method, its assumption, discoveries, and how p-values of non-members are spread."""
    controls, tau = evidence.controls, evidence.audit.tau
    q_values = adjusted(controls.p_values)
    found = passing(q_values, FDR)
    truth = np.array([r.subject.membership or "" for r in evidence.audit.subjects])
    people = range(len(controls.counts))
    positives = np.array([controls.rule_positives(person, tau) for person in people])
    matchings = Counter(", ".join(by) or "nothing" for by in controls.by)
    return {
        "method": "rank of the true name among matched control names, p = (1 + controls scoring at "
        "least as high) / (K + 1); adjusted by Benjamini-Hochberg",
        "score": CALIBRATED if controls.calibrated else RAW,
        "calibrated": controls.calibrated,
        "assumption": ASSUMPTION,
        "controls": {"fewest": int(controls.counts.min()), "most": int(controls.counts.max())},
        "matched_on": dict(matchings.most_common()),
        "fdr": FDR,
        "discoveries": int(found.sum()),
        "discoveries_members": int((found & (truth == MEMBER)).sum()),
        "discoveries_non_members": int((found & (truth == NON_MEMBER)).sum()),
        "rule_null": {"tau": tau, **pairs_json(positives, controls.counts, evidence.seed)},
        "non_members_uniform": _uniform(controls.p_values[truth == NON_MEMBER]),
    }


def _uniform(p_values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any] | None:
    if not len(p_values):
        return None
    distance, p = uniform_distance(p_values)
    return {
        "non_members": len(p_values),
        "ks_distance": distance,
        "ks_p_value": p,
        "at_most_0.05": int((p_values <= 0.05).sum()),
    }
