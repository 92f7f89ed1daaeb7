"""Translates the fixed phrases of documents into the language of a page.

`docs/make_catalogue.py` adds `FIXED` to the catalogue, because these phrases are defined elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from idia_index.errors import install_command
from idia_index.evaluation import baselines
from idia_index.evaluation.label_controls import NOT_AVAILABLE
from idia_index.evaluation.people import (
    ASSUMPTION,
    CALIBRATED,
    RAW,
    SCALE,
    SCALE_ASSUMED,
    SCALE_OWN,
)
from idia_index.evaluation.records.baselines import BaselineRow
from idia_index.evaluation.records.p_values import PValueSummary
from idia_index.photos.cautions import NOT_LOOKED, was_looked_for
from idia_index.report.language import _, figure

_MATCHED = ("sex", "tokens", "tokens +-1", "origin", "nothing")
FIXED = (
    ASSUMPTION,
    CALIBRATED,
    RAW,
    SCALE,
    SCALE_ASSUMED,
    SCALE_OWN,
    baselines.OMITTED,
    baselines.SWAPPED,
    baselines.SHUFFLED_MEMBERS,
    baselines.SHUFFLED_NON_MEMBERS,
    *chain.from_iterable(baselines.WHAT.values()),
    NOT_LOOKED,
    NOT_AVAILABLE,
    *_MATCHED,
)


def score_text(summary: PValueSummary) -> str:
    """The score that is compared, as in `PValueSummary.score`."""
    score = _(CALIBRATED) if summary.calibrated else _(RAW)
    whose = _(SCALE_ASSUMED) if summary.logit_scale_assumed else _(SCALE_OWN)
    return f"{score} {_(SCALE).format(value=figure(f'{summary.logit_scale:.4g}'), whose=whose)}"


def matched_text(by: Sequence[str]) -> str:
    """The properties that control names share with a name."""
    return ", ".join(map(_, by)) or _("nothing")


def baseline_text(row: BaselineRow) -> str:
    """A baseline's title and what it uses."""
    title, looks_at = baselines.WHAT[row.baseline]
    return f"{_(title)}: {_(looks_at)}"


def caution_text(caution: str) -> str:
    """A caution about the faces in photos or the model; sentences with counts stay English."""
    if was_looked_for([caution]):
        return _(caution)
    return _(NOT_LOOKED).format(install=install_command("faces"))
