"""Searches an open index: exact nearest names per template, with certificates."""
