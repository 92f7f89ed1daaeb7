"""Parses the SPEC of a hosted model, `DIALECT+URL#MODEL`, and checks what may be sent."""

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
    """The address of a hosted model.

    Attributes:
        dialect: the request format.
        url: scheme, host, port and path, without a slash at the end.
        host: the host as URLs write it, with the port if given.
        model: the service's name of the model; may be empty if it serves only one.
    """

    dialect: str
    url: str
    host: str
    model: str

    @property
    def text(self) -> str:
        """The SPEC."""
        return f"{self.dialect}+{self.url}/#{self.model}"

    def is_named_by(self, hosts: tuple[str, ...]) -> bool:
        """Whether consent names this host, with this port or without a port (all ports)."""
        name = urlsplit(self.url).hostname or ""
        return any(given.casefold() in (self.host.casefold(), name) for given in hosts)

    def check_any(self, session: Session) -> None:
        """Raises RefusedError unless texts or images may be sent."""
        if not self.is_named_by((*session.texts_to, *session.images_to)):
            self._refuse("texts or images", "--send-texts-to", "--send-images-to")

    def check(self, kind: str, session: Session) -> None:
        """Raises RefusedError unless this kind ("text" or "image") may be sent."""
        if not self.is_named_by(session.texts_to if kind == "text" else session.images_to):
            self._refuse(f"{kind}s", f"--send-{kind}s-to")

    def _refuse(self, what: str, *options: str) -> None:
        allow = " or ".join(f"{option} {self.host}" for option in options)
        raise RefusedError(
            f"{self.url}: nothing was sent; to send {what} there, pass {allow} (of build, add, "
            "repair, verify, query, audit, evaluate, study and replay; other verbs query no "
            "service)"
        )


def parse_endpoint(spec: str) -> Endpoint:
    """Parses a SPEC.

    Raises:
        ModelError: not a SPEC, or a host other than this machine without TLS.
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
            f"model {dialect}+{parts.scheme}://...@{host}: credentials or a query in a URL would "
            "end up in manifests and logs; pass the key with --key-from VARIABLE"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise RefusedError(
            f"{shown(url, 300)}: without TLS others can read what is sent; use https:// (http:// "
            "is accepted only for this machine)"
        )
    place = f"[{host}]" if ":" in host else host
    place += "" if port is None else f":{port}"
    return Endpoint(dialect, f"{parts.scheme}://{place}{parts.path.rstrip('/')}", place, model)


def is_loopback(host: str) -> bool:
    """Whether a host name always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def read_key(session: Session) -> str | None:
    """The key in the environment variable that the session names; None if it names none.

    Raises:
        InputError: the variable is not set, or cannot be sent in a header.
    """
    if session.key_from is None:
        return None
    key = os.environ.get(session.key_from, "").strip()
    if not key:
        raise InputError(
            f"--key-from {shown(session.key_from)}: the environment variable is not set or empty; "
            "put the service's key in it"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"--key-from {shown(session.key_from)}: the variable holds characters that no key "
            "has; put only the key in it"
        )
    return key


def _without_user(spec: str) -> str:
    """A SPEC that is safe to show: without what precedes an @, which may be a password."""
    return spec.rpartition("@")[2] if "@" in spec else spec
