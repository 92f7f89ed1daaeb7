"""P-values of all subjects, with what they assume and what they cannot show."""

from __future__ import annotations

from collections import Counter

import numpy as np

from idia_index.evaluation.analysis import share_of_pairs
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.pvalues import adjusted, passing, uniform_distance
from idia_index.evaluation.records import (
    ControlRange,
    NameTest,
    PValueSummary,
    RuleNull,
    Uniformity,
)
from idia_index.subjects.subjects import MEMBER, NON_MEMBER

FDR = 0.05

METHOD = (
    "rank of the true name among matched control names, p = (1 + controls scoring at least as "
    "high) / (K + 1); adjusted by Benjamini-Hochberg"
)
ASSUMPTION = (
    "If the model does not know the person, the true name is exchangeable with the control names: "
    "for these images it is as likely as any of them to score highest. Control names are matched "
    "as stated; what else sets the true name apart (a famous namesake, a rare spelling) can make "
    "p-values too small or too large."
)
CALIBRATED = (
    "Score: mean cosine similarity of the images to the name over all prompts, standardized by the "
    "same name's similarity to the other subjects' images."
)
RAW = (
    "Score: mean cosine similarity of the images to the name over all prompts. With so few "
    "subjects it cannot be corrected for names that attract every image."
)


def subject_tests(evidence: Evidence) -> tuple[NameTest, ...]:
    """Per subject: p-value, adjusted p-value, controls, and the rule under the same null."""
    controls, tau = evidence.controls, evidence.audit.tau
    q_values = adjusted(controls.p_values)
    return tuple(
        NameTest(
            p_value=float(controls.p_values[person]),
            q_value=float(q_values[person]),
            controls=count,
            smallest_p=1 / (count + 1),
            controls_matched_on=controls.by[person],
            rule_null=controls.rule_positives(person, tau) / count if count else None,
            margin=float(evidence.measured.margins[person]),
        )
        for person, count in enumerate(controls.counts.tolist())
    )


def p_value_summary(evidence: Evidence) -> PValueSummary:
    """The method, its assumption, discoveries, and how p-values of non-members are spread."""
    controls = evidence.controls
    found = passing(adjusted(controls.p_values), FDR)
    truth = np.array([r.subject.membership or "" for r in evidence.audit.subjects])
    matchings = Counter(", ".join(by) or "nothing" for by in controls.by)
    return PValueSummary(
        method=METHOD,
        score=CALIBRATED if controls.calibrated else RAW,
        calibrated=controls.calibrated,
        assumption=ASSUMPTION,
        controls=ControlRange(int(controls.counts.min()), int(controls.counts.max())),
        matched_on=dict(matchings.most_common()),
        fdr=FDR,
        discoveries=int(found.sum()),
        discoveries_members=int((found & (truth == MEMBER)).sum()),
        discoveries_non_members=int((found & (truth == NON_MEMBER)).sum()),
        rule_null=_rule_null(evidence),
        non_members_uniform=_uniform(controls.p_values[truth == NON_MEMBER]),
    )


def _rule_null(evidence: Evidence) -> RuleNull:
    controls, tau = evidence.controls, evidence.audit.tau
    people = range(len(controls.counts))
    positives = np.array([controls.rule_positives(person, tau) for person in people])
    pairs = share_of_pairs(positives, controls.counts, evidence.seed)
    return RuleNull(pairs.hits, pairs.total, pairs.rate, pairs.ci95, tau)


def _uniform(p_values: Float64) -> Uniformity | None:
    if not len(p_values):
        return None
    distance, p = uniform_distance(p_values)
    return Uniformity(len(p_values), distance, p, int((p_values <= 0.05).sum()))
