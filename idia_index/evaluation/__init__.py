"""Evaluation against known truth, and evidence without it: rates, draws, p-values, baselines."""
