"""An open index: per-template nearest names, exact, with their certificates."""
