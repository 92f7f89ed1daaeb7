"""Canaries: made-up people, put into or left out of training data by a coin, sealed, audited."""
