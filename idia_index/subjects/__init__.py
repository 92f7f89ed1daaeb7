"""The people under test: their names, photos and candidates."""

from idia_index.subjects.subjects import make_subject, read_subjects

__all__ = ["make_subject", "read_subjects"]
