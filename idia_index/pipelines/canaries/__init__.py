"""Canary people: made up, put in or left out by a coin each, sealed, and audited."""
