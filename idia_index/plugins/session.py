"""What a run permits a plugin that calls a service; none of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from idia_index.errors import InputError


@dataclass(frozen=True)
class Session:
    """What may leave the machine, with which key, and at what price.

    Attributes:
        texts_to: hosts to which texts may be sent, as in `--send-texts-to`.
        images_to: hosts to which images may be sent, as in `--send-images-to`.
        key_from: the environment variable that holds the API key; None: no key.
        max_calls: maximum number of requests, including retries and probes; None: no limit.
        timeout: time limit for one request in seconds, from its first byte to its last.
        concurrency: number of requests in flight at a time.
        send_original: send image files unchanged instead of only what the model reads of them.
        accept_truncation: accept embeddings of texts that the service may have truncated.
        folder: where answers are cached so that none is paid for twice; None: nowhere.
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
                f"--timeout {self.timeout:g}, --concurrency {self.concurrency}: pass a timeout "
                "above 0 and a concurrency of 1 to 64"
            )
