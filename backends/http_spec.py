"""The SPEC of a hosted model, `DIALECT+URL#MODEL`, and whether anything may be sent there."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from idia_index.errors import InputError, ModelError, RefusedError
from idia_index.plugins import Session
from idia_index.support.text import shown

FORM = "write DIALECT+https://HOST[:PORT]/#MODEL, as infinity+https://example.org/#my-clip"


@dataclass(frozen=True)
class Endpoint:
    """Where a hosted model is asked.

    Attributes:
        dialect: how requests are written.
        url: scheme, host, port and path, without a slash at the end.
        host: the host as URLs write it, with the port where one is given.
        model: what the service calls the model; may be empty where it serves one only.
    """

    dialect: str
    url: str
    host: str
    model: str

    @property
    def text(self) -> str:
        """The SPEC again."""
        return f"{self.dialect}+{self.url}/#{self.model}"

    def is_named_by(self, hosts: tuple[str, ...]) -> bool:
        """Whether consent names this very host, with its port or for all of its ports."""
        name = urlsplit(self.url).hostname or ""
        return any(given.casefold() in (self.host.casefold(), name) for given in hosts)

    def check_any(self, session: Session) -> None:
        """Raises RefusedError unless something may be sent there."""
        if not self.is_named_by((*session.texts_to, *session.images_to)):
            self._refuse("texts or images", "--send-texts-to", "--send-images-to")

    def check(self, kind: str, session: Session) -> None:
        """Raises RefusedError unless "text" or "image" may be sent there."""
        if not self.is_named_by(session.texts_to if kind == "text" else session.images_to):
            self._refuse(f"{kind}s", f"--send-{kind}s-to")

    def _refuse(self, what: str, *options: str) -> None:
        allow = " or ".join(f"{option} {self.host}" for option in options)
        raise RefusedError(
            f"{self.url}: nothing was sent; to send {what} there, give {allow} (of build, add, "
            "repair, verify, query, audit, evaluate, study and replay; other verbs ask no service)"
        )


def parse_endpoint(spec: str) -> Endpoint:
    """Takes a SPEC apart.

    Raises:
        ModelError: it is none, or leads to a host without TLS that is not this machine.
    """
    dialect, plus, rest = spec.partition("+")
    url, _, model = rest.partition("#")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ModelError(f"model {shown(_without_user(spec), 300)}: {error}; {FORM}") from error
    if not plus or parts.scheme not in ("http", "https") or not host:
        raise ModelError(f"model {shown(_without_user(spec), 300)} names no service; {FORM}")
    if parts.username is not None or parts.query:
        raise ModelError(
            f"model {dialect}+{parts.scheme}://...@{host}: a URL with credentials or a query would "
            "stand in manifests and logs; give the key with --key-from VARIABLE"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise RefusedError(
            f"{shown(url, 300)}: without TLS others can read what is sent; write https://, which "
            "only services on this machine do without"
        )
    place = f"[{host}]" if ":" in host else host
    place += "" if port is None else f":{port}"
    return Endpoint(dialect, f"{parts.scheme}://{place}{parts.path.rstrip('/')}", place, model)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def read_key(session: Session) -> str | None:
    """The key in the environment variable that the session names; None where it names none.

    Raises:
        InputError: it is not set, or holds what no header can.
    """
    if session.key_from is None:
        return None
    key = os.environ.get(session.key_from, "").strip()
    if not key:
        raise InputError(
            f"--key-from {shown(session.key_from)}: the environment variable is not set or empty; "
            "put the service's key there"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"--key-from {shown(session.key_from)}: the variable holds characters that no key has; "
            "put the key alone there"
        )
    return key


def _without_user(spec: str) -> str:
    """A SPEC that may be shown: what stands before an @ may be a password."""
    return spec.rpartition("@")[2] if "@" in spec else spec
