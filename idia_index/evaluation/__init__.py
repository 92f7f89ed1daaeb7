"""Evaluation against known truth, and evidence without it: rates, draws, p-values, baselines."""

from idia_index.evaluation.decisions import (
    CountRow,
    Metrics,
    evaluate_decisions,
    share_inferred,
)

__all__ = ["CountRow", "Metrics", "evaluate_decisions", "share_inferred"]
