"""Turns texts and images into unit rows, from cached answers or new requests."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

import numpy as np

from idia_index.backends.http_client import Client
from idia_index.backends.http_dialects import Dialect, Kind, as_rows
from idia_index.backends.http_spec import Endpoint
from idia_index.encode.image_cache import ImageCache, remembers_images
from idia_index.errors import ServiceError
from idia_index.plugins import Session
from idia_index.support.text import shown
from idia_index.types import MAX_DIM, Float32, Sent

NUMBER = 32  # maximum number of bytes of an embedding component in JSON
FIRST_DIM = 8192  # maximum length of the first embedding


@dataclass
class Tally:
    """Counts what was sent and what came from the cache, without the fixed probes."""

    sent: dict[str, Sent] = field(default_factory=dict)
    remembered: int = 0


class Asker:
    """Embeddings of a hosted model.

    Attributes:
        client: the connection.
        tally: what was sent.
        dim: length of an embedding; 0 until the first arrives.
    """

    def __init__(self, endpoint: Endpoint, dialect: Dialect, session: Session) -> None:
        self._endpoint, self._dialect, self._session = endpoint, dialect, session
        self.client = Client(endpoint, session)
        self.tally = Tally()
        self.dim = 0
        self._model = ""

    def rows(
        self, kind: Kind, contents: Sequence[bytes], cache: ImageCache | None = None
    ) -> Float32:
        """Unit rows float32 [n, D] of UTF-8 texts or of images as sent.

        Every answer is cached on arrival, so that no error or interruption makes it be paid for
        twice. Without a `cache` (probes) nothing is kept or counted.

        Raises:
            ServiceError: no valid answer from the service.
        """
        keys = [_key(kind, content) for content in contents]
        places = dict(zip(keys, contents, strict=True))
        found: dict[str, Float32] = {}
        if cache is not None and (kind == "text" or remembers_images()):
            known = {key: cache.get(cache.key(key)) for key in places}
            found = {key: row for key, row in known.items() if row is not None}
            self.tally.remembered += len(found)
        missing = [key for key in places if key not in found]
        most = self._dialect.most[kind]
        chunks = [missing[start : start + most] for start in range(0, len(missing), most)]
        self._ask_all(kind, chunks, places, found, cache)
        return np.stack([found[key] for key in keys])

    def _ask_all(
        self, kind: Kind, chunks: Sequence[Sequence[str]], contents: Mapping[str, bytes],
        found: dict[str, Float32], cache: ImageCache | None,
    ) -> None:  # fmt: skip
        failed: BaseException | None = None
        keep = cache if kind == "text" or remembers_images() else None
        self.client.stop.clear()
        with ThreadPoolExecutor(self._session.concurrency) as pool:
            asked: dict[Future[Float32], Sequence[str]] = {
                pool.submit(self._ask, kind, [contents[key] for key in chunk]): chunk
                for chunk in chunks
            }
            try:
                for done in as_completed(asked):
                    if done.cancelled():
                        continue
                    if (error := done.exception()) is not None:
                        failed = failed or error
                        self._end(pool)
                        continue
                    keys, rows = asked[done], done.result()
                    found.update(zip(keys, rows, strict=True))
                    if keep is not None:
                        keep.put([keep.key(key) for key in keys], rows)
                    if cache is not None:
                        self._tell(kind, keys, contents)
            except BaseException:
                self._end(pool)
                raise
        if failed is not None:
            raise failed

    def _end(self, pool: ThreadPoolExecutor) -> None:
        """Starts no further request; waits for those in flight, which are paid for."""
        self.client.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)

    def _tell(self, kind: Kind, keys: Sequence[str], contents: Mapping[str, bytes]) -> None:
        for key in keys:
            digest = hashlib.sha256(contents[key]).hexdigest()
            self.tally.sent.setdefault(key, Sent(kind, digest, len(contents[key])))

    def _ask(self, kind: Kind, contents: Sequence[bytes]) -> Float32:
        """One request: the unit rows of its answer."""
        if kind == "text":
            items = [content.decode("utf-8") for content in contents]
        else:
            items = [base64.b64encode(content).decode("ascii") for content in contents]
        body = self._dialect.request(self._endpoint.model, kind, items)
        most = (1 << 20) + len(items) * NUMBER * (self.dim or FIRST_DIM)
        answer = self.client.post(self._dialect.path, body, most)
        self._check_model(self._dialect.model_of(answer))
        try:
            rows = as_rows(self._dialect.embeddings(answer, kind))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            said = " ".join(str(error).split())[:160]
            raise self._error(f"no embeddings in its answer ({said})") from error
        return self._checked(rows, kind, len(items))

    def _check_model(self, named: str) -> None:
        self._model = self._model or named
        if named != self._model:
            raise self._error(
                f"answered as {shown(self._model)}, then as {shown(named)}: the service changed "
                "during the run; name one model in the SPEC"
            )

    def _checked(self, rows: Float32, kind: Kind, count: int) -> Float32:
        if len(rows) != count:
            raise self._error(f"gave {len(rows)} embeddings for {count} {kind}s; try again")
        self.dim = self.dim or rows.shape[1]
        if rows.shape[1] != self.dim or self.dim > MAX_DIM:
            raise self._error(
                f"gave embeddings of length {rows.shape[1]}, before of {self.dim}: the service "
                "changed during the run, or serves several models; name one in the SPEC"
            )
        norms = np.linalg.norm(rows.astype(np.float64), axis=1)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise self._error(
                f"gave {kind} embeddings that are zero or not finite; check its model"
            )
        unit: Float32 = (rows / norms[:, None]).astype(np.float32)
        return unit

    def _error(self, what: str) -> ServiceError:
        return ServiceError(f"{self._endpoint.url}: {what}")


def _key(kind: Kind, content: bytes) -> str:
    """The cache key of a text or an image."""
    return hashlib.sha256(kind.encode() + b"\0" + content).hexdigest()
