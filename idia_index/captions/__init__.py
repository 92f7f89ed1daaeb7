"""Training captions -> whose names appear in them, and how often."""
