"""The controlled study: people who do not exist, and a small CLIP that saw some of them.

Who was in the training data is known, so an audit of this model can be held against the truth.
See `docs/controlled-study.md`.
"""

from idia_index.study.subjects import (
    MODEL_DIR,
    ONNX_DIR,
    StudySubject,
    candidates,
    render,
    subjects,
    write_reference_faces,
    write_subjects,
)

__all__ = [
    "MODEL_DIR",
    "ONNX_DIR",
    "StudySubject",
    "candidates",
    "render",
    "subjects",
    "write_reference_faces",
    "write_subjects",
]
