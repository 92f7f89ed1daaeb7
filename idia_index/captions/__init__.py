"""Training captions -> whose names stand in them, and how often."""
