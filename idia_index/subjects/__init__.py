"""Who is under test: people, their photos, and the candidates that they are."""

from idia_index.subjects.subjects import make_subject, read_subjects

__all__ = ["make_subject", "read_subjects"]
