"""What all pages of a server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from idia_index.errors import InputError
from idia_index.serve.desk import Choice
from idia_index.serve.jobs import Jobs
from idia_index.serve.keys import Keys
from idia_index.serve.models import Models
from idia_index.store.directory import MANIFEST
from idia_index.support.files import local_path
from idia_index.support.text import shown_path


# No upload fills the memory of the machine.
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


@dataclass
class Server:
    """A server's parts.

    Attributes:
        keys: who may use it.
        models: what answers.
        jobs: what is being done.
        start: the index that a new browser begins with.
        local: whether only this machine reaches it, so that a page may name files here.
        limits: how much it takes.
        language: of pages until another is chosen on them; None: what the browser prefers.
    """

    keys: Keys
    models: Models
    jobs: Jobs
    start: Choice = field(default_factory=Choice)
    local: bool = True
    limits: Limits = field(default_factory=Limits)
    language: str | None = None

    def room(self) -> int:
        """Bytes of photos that there is room for."""
        return self.limits.total_bytes - sum(
            item.size for desk in self.keys.contents() for item in desk.items
        )

    def choice(self, text: str) -> Choice:
        """The index that a page names; raises InputError where there is none."""
        text = text.strip()
        if not text:
            return self.start
        if text == "practice":
            return Choice()
        if not self.local and (self.start.path is None or text != str(self.start.path)):
            raise InputError("only who starts the server chooses its index")
        path = local_path(text)
        if not (path / MANIFEST).is_file():
            raise InputError(
                f"{shown_path(path)}: no index is there; give the folder that idia-index build made"
            )
        return Choice(path)
