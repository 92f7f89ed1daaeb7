"""Counts the names that appear in training captions."""
