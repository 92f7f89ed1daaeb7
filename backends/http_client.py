"""Sends requests to one host, with retries and limits on number, time and size."""

from __future__ import annotations

import json
import random
import ssl
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from idia_index.backends.http_spec import Endpoint, read_key
from idia_index.errors import MissingExtraError, ServiceError
from idia_index.plugins import Session
from idia_index.support.text import shown

try:
    import httpx
except ImportError as error:
    raise MissingExtraError("the backend 'http'", "httpx", "http") from error

TRIES = 6  # per request
BACK_OFF = 0.5  # seconds before the second try; doubled for each further one
LONGEST_WAIT = 120.0  # maximum seconds that a service may ask to wait
AGAIN = (429, 500, 502, 503, 504)
_EXCERPT = 160


class Client:
    """The connection to a service.

    Attributes:
        made: requests made.
        repeated: how many of them were retries.
        stop: wakes requests that wait to be retried, and ends them.
    """

    def __init__(self, endpoint: Endpoint, session: Session) -> None:
        self._endpoint, self._session = endpoint, session
        self._key = read_key(session)
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(session.timeout, connect=min(10.0, session.timeout)),
            # The pool's own timer can close an idle connection just given to another thread.
            limits=httpx.Limits(max_connections=session.concurrency, keepalive_expiry=None),
            follow_redirects=False,
            verify=ssl.create_default_context(),
            trust_env=False,  # no proxy, no key from ~/.netrc
        )
        self._lock = threading.Lock()
        self.made = self.repeated = 0
        self.stop = threading.Event()

    def get(self, path: str) -> Any:
        """The JSON at a path; None if the service has nothing there."""
        try:
            return self._ask("GET", path, None, 1 << 20)
        except _StatusError as error:
            if error.status in (401, 403):
                raise
            return None

    def post(self, path: str, body: Mapping[str, Any], most: int) -> Any:
        """The JSON answer to a request, of at most `most` bytes.

        Raises:
            ServiceError: no valid answer; the message says why and what to do.
        """
        return self._ask("POST", path, json.dumps(body).encode("utf-8"), most)

    def _ask(self, method: str, path: str, data: bytes | None, most: int) -> Any:
        url = self._endpoint.url + path
        for attempt in range(TRIES):
            self._count(attempt > 0)
            wait, why = BACK_OFF * 2**attempt * (1 + random.random() / 4), "cannot be reached"
            try:
                status, headers, body = self._exchange(method, url, data, most)
            except httpx.ConnectError as error:
                if "SSL" in str(error).upper():
                    raise self._error(
                        f"its TLS certificate is not trusted ({self._told(error)})"
                    ) from None
                why = f"cannot be reached ({self._told(error)})"
            except (httpx.ConnectTimeout, httpx.PoolTimeout):
                why = "cannot be reached in time"
            except httpx.TimeoutException:
                raise self._error(
                    f"no complete answer in {self._session.timeout:g} seconds; raise --timeout "
                    "and run again: earlier answers are kept"
                ) from None
            except httpx.HTTPError as error:
                raise self._error(
                    f"the connection broke before the answer was complete ({self._told(error)}); "
                    "run again: earlier answers are kept"
                ) from None
            else:
                if status == 200:
                    return self._json(body)
                if status not in AGAIN:
                    raise self._refused(status, headers, body)
                why = f"answers {status}: {self._excerpt(body)}"
                wait = self._asked_wait(headers, wait)
            if attempt + 1 < TRIES and self.stop.wait(wait):
                break
        raise self._error(f"{why}; tried {attempt + 1} times; try later: earlier answers are kept")

    def _exchange(
        self, method: str, url: str, data: bytes | None, most: int
    ) -> tuple[int, httpx.Headers, bytes]:
        ends = time.monotonic() + self._session.timeout
        with self._client.stream(method, url, content=data) as response:
            body = bytearray()
            for block in response.iter_raw():
                body += block
                if len(body) > most:
                    raise self._error(
                        f"an answer of more than {most:,} bytes; none should be that long"
                    )
                if time.monotonic() > ends:
                    raise httpx.ReadTimeout("slow")
            return response.status_code, response.headers, bytes(body)

    def _count(self, repeated: bool) -> None:
        with self._lock:
            limit = self._session.max_calls
            if limit is not None and self.made >= limit:
                raise self._error(
                    f"reached --max-calls {limit}; run again with more: earlier answers are kept"
                )
            self.made += 1
            self.repeated += repeated

    def _asked_wait(self, headers: httpx.Headers, own: float) -> float:
        """Seconds to wait: Retry-After (a number or a date), else our own delay."""
        asked = headers.get("Retry-After", "")
        try:
            seconds = float(asked)
        except ValueError:
            try:
                seconds = parsedate_to_datetime(asked).timestamp() - time.time()
            except (ValueError, TypeError):
                return own
        if not seconds <= LONGEST_WAIT:
            raise self._error(
                f"asks to wait {shown(asked, 40)}, more than {LONGEST_WAIT:g} seconds; run again "
                "then: earlier answers are kept"
            )
        return max(seconds, 0.0)

    def _refused(self, status: int, headers: httpx.Headers, body: bytes) -> ServiceError:
        if 300 <= status < 400:
            place = shown(self._redacted(headers.get("Location", "")), 200)
            return self._error(
                f"redirects to {place}, where nothing was sent; if that is the service, name that "
                "host in --model and in --send-texts-to or --send-images-to"
            )
        if status in (401, 403):
            return self._error(f"answers {status}: check the key in --key-from")
        return _StatusError(
            status, f"{self._endpoint.url}: answers {status}: {self._excerpt(body)}"
        )

    def _json(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._error(f"its answer is not JSON: {self._excerpt(body)}") from None

    def _excerpt(self, body: bytes) -> str:
        """The beginning of an answer, with the key redacted if the service repeats it."""
        text = self._redacted(body.decode("utf-8", "replace"))
        return shown(" ".join(text.split()), _EXCERPT)

    def _told(self, error: Exception) -> str:
        return self._redacted(" ".join(str(error).split()))[:_EXCERPT] or type(error).__name__

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text

    def _error(self, what: str) -> ServiceError:
        return ServiceError(f"{self._endpoint.url}: {what}")


class _StatusError(ServiceError):
    """A status that is not retried."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
