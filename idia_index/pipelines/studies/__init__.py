"""The paper's studies, and one's own: people and settings from a file, photos and models from you."""
