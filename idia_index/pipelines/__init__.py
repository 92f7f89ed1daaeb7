"""Pipelines: complete jobs, from inputs to results."""
