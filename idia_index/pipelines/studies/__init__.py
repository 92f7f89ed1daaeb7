"""The paper's studies, and one's own: people and settings from a file, the rest from you."""
