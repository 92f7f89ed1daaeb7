"""How much a server takes, so that no upload fills the memory of the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Attributes:
        photos: files of one upload.
        file_bytes: of one file.
        total_bytes: of all photos that are held at a time, of everybody.
        text_bytes: of a form without files, and of a form's fields.
        jobs: that may wait.
        cases: that one session holds.
        upload_seconds: that a form may take to arrive.
        job_seconds: that a job may take.
    """

    photos: int = 2_000
    file_bytes: int = 60 << 20
    total_bytes: int = 1 << 30
    text_bytes: int = 64 << 10
    jobs: int = 16
    cases: int = 50
    upload_seconds: float = 1800.0
    job_seconds: float = 4 * 3600.0
