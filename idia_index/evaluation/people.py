"""P-values of all subjects, with what they assume and what they cannot show."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.analysis import share_of_pairs
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.name_tests import ControlTests
from idia_index.evaluation.pvalues import (
    FDR,
    SMALL,
    adjusted,
    e_bh,
    e_values,
    excess_of_small,
    expected_small,
    passing,
)
from idia_index.evaluation.records.p_values import (
    ControlRange,
    NameTest,
    PValueSummary,
    RuleNull,
    SmallPValues,
)
from idia_index.evaluation.references import LogitScale
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.types import Int64

METHOD = (
    "the larger of two ranks, p = (1 + those scoring at least as high) / (K + 1): of the true name "
    "among matched control names, for the subject's photos; and of the subject's photos among "
    "other people's, for the true name. Who stands out among all is told by the first alone, "
    "adjusted by Benjamini-Hochberg: it is right over names, the second for the one name. People "
    "who share photos or names depend on each other; e-BH counts those who stand out in any case"
)
ASSUMPTION = (
    "If the model does not know the person, the true name is exchangeable with the control names, "
    "and the person's photos with other people's. Control names are matched as stated; a famous "
    "namesake or a rare spelling can still set the true name apart, and photos of another kind "
    "than the other people's can set the person apart: either makes p-values too small."
)
CALIBRATED = (
    "Score: pointwise mutual information of photos and name, the mean over templates of the log "
    "of how much likelier the photos make the name than other people's photos do."
)
RAW = (
    "Score: the mean over templates of the log of how likely the photos make the name. With fewer "
    "than 20 other people, and without reference faces, it cannot be corrected for names that fit "
    "everybody's photos, so the p-value is not valid for one name."
)


SCALE = "Logit scale: {value} ({whose})."
SCALE_ASSUMED, SCALE_OWN = "assumed: the backend does not say its own", "the model's own"


def _scale_text(scale: LogitScale) -> str:
    whose = SCALE_ASSUMED if scale.assumed else SCALE_OWN
    return f" {SCALE.format(value=f'{scale.value:.4g}', whose=whose)}"


def subject_tests(evidence: Evidence) -> tuple[NameTest, ...]:
    """Per subject: p-value, adjusted p-value, controls, and the rule under the same null.

    None of anybody where labels alone are known.
    """
    controls, tau = evidence.controls, evidence.audit.tau
    if controls is None:
        return ()
    control, fixed = controls.control_p_values, controls.name_fixed_p_values
    q_values = adjusted(control)
    evidence_values = e_values(control, controls.counts)
    return tuple(
        NameTest(
            p_value=float(controls.p_values[person]),
            p_value_of="name fixed" if fixed[person] > control[person] else "control names",
            control_p_value=float(control[person]),
            name_fixed_p_value=None if np.isnan(fixed[person]) else float(fixed[person]),
            references=int(controls.references[person]),
            reference_photos=int(controls.reference_photos[person]),
            pmi=float(controls.scores[person]) if controls.calibrated else None,
            q_value=float(q_values[person]),
            e_value=float(evidence_values[person]),
            controls=count,
            smallest_p=1 / (count + 1),
            controls_matched_on=controls.by[person],
            rule_null=controls.rule_positives(person, tau) / count if count else None,
            margin=float(evidence.measured.margins[person]),
        )
        for person, count in enumerate(controls.counts.tolist())
    )


def p_value_summary(evidence: Evidence) -> PValueSummary | None:
    """The method, its assumption, discoveries, and how p-values of non-members are spread.

    None where labels alone are known.
    """
    controls = evidence.controls
    if controls is None:
        return None
    found = passing(adjusted(controls.control_p_values), FDR)
    truth = np.array([r.subject.membership or "" for r in evidence.audit.subjects])
    matchings = Counter(", ".join(by) or "nothing" for by in controls.by)
    return PValueSummary(
        method=METHOD,
        score=(CALIBRATED if controls.calibrated else RAW) + _scale_text(controls.scale),
        calibrated=controls.calibrated,
        reference_faces=controls.faces,
        logit_scale=controls.scale.value,
        logit_scale_assumed=controls.scale.assumed,
        assumption=ASSUMPTION,
        controls=ControlRange(int(controls.counts.min()), int(controls.counts.max())),
        matched_on=dict(matchings.most_common()),
        fdr=FDR,
        discoveries=int(found.sum()),
        discoveries_any_dependence=int(
            e_bh(e_values(controls.control_p_values, controls.counts), FDR).sum()
        ),
        discoveries_members=int((found & (truth == MEMBER)).sum()),
        discoveries_non_members=int((found & (truth == NON_MEMBER)).sum()),
        rule_null=_rule_null(controls, evidence),
        non_members_small=_small(controls.control_p_values, controls.counts, truth == NON_MEMBER),
    )


def _rule_null(controls: ControlTests, evidence: Evidence) -> RuleNull:
    tau = evidence.audit.tau
    people = range(len(controls.counts))
    positives = np.array([controls.rule_positives(person, tau) for person in people])
    pairs = share_of_pairs(positives, controls.counts, evidence.seed)
    return RuleNull(**vars(pairs), tau=tau)


def _small(p_values: Float64, controls: Int64, others: NDArray[np.bool_]) -> SmallPValues | None:
    if not others.any():
        return None
    own, sizes = p_values[others], controls[others]
    return SmallPValues(
        non_members=len(own),
        expected=expected_small(sizes),
        excess_p_value=excess_of_small(own, sizes),
        at_most_5_percent=int((own <= SMALL).sum()),
    )
