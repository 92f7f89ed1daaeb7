"""Predictions to votes to a decision, and what of it may be disclosed."""
