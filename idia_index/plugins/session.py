"""What one run allows a plugin that asks a service; nothing of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from idia_index.errors import InputError


@dataclass(frozen=True)
class Session:
    """What may leave the machine, with which key, and at what price.

    Attributes:
        texts_to: hosts that texts may be sent to, as `--send-texts-to` names them.
        images_to: hosts that images may be sent to, as `--send-images-to` names them.
        key_from: the environment variable that holds the key; None: no key.
        max_calls: requests at the most, repeated ones and probes among them; None: no bound.
        timeout: seconds that one request may take, from its first byte to its last.
        concurrency: requests under way at a time.
        send_original: send image files as they are, and not what the model reads of them.
        accept_truncation: take embeddings of texts that the service may have cut.
        folder: where answers are kept so that none is paid for twice; None: nowhere.
    """

    texts_to: tuple[str, ...] = ()
    images_to: tuple[str, ...] = ()
    key_from: str | None = None
    max_calls: int | None = None
    timeout: float = 120.0
    concurrency: int = 4
    send_original: bool = False
    accept_truncation: bool = False
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.timeout <= 0 or not 1 <= self.concurrency <= 64:
            raise InputError(
                f"--timeout {self.timeout:g}, --concurrency {self.concurrency}: give seconds above "
                "0, and 1 to 64 requests at a time"
            )
