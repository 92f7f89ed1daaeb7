"""Starts the server, and stops it whole."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from platformdirs import user_cache_path

from idia_index.errors import InputError
from idia_index.serve.app import make_app
from idia_index.serve.desk import Choice, Desk
from idia_index.serve.jobs import Jobs
from idia_index.serve.keys import Keys
from idia_index.serve.models import Models
from idia_index.serve.server import Limits, Server

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    index: Path | None,
    *,
    reference_faces: Path | None,
    host: str,
    port: int,
    password: str | None,
    language: str | None,
    ready: Callable[[str], None],
) -> None:
    """Answers until it is interrupted.

    Args:
        index: the index to begin with; None: the practice model's.
        reference_faces: portraits that names are tried on, for this index; None: none.
        host: address to listen on; another than this machine's own takes a password.
        port: 0 takes a free one.
        password: None on this machine alone, where the link has a one-time token.
        language: of pages until another is chosen on them; None: what the browser prefers.
        ready: called with the link to open, once it listens.

    Raises:
        InputError: the address cannot be taken, or takes a password.
    """
    local = host in LOOPBACK
    if not local and not password:
        raise InputError(f"--host {host}: others can reach it; set a password (--password-env)")
    limits, start = Limits(), Choice(index, reference_faces)
    server = Server(
        keys=Keys(lambda: Desk(start), password),
        models=Models(user_cache_path("idia-index") / "practice"),
        jobs=Jobs(limits.jobs, limits.job_seconds),
        start=start,
        local=local,
        limits=limits,
        language=language,
    )
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    hosts = {f"{name}:{port}" for name in (host, "127.0.0.1", "localhost", "[::1]")}
    config = uvicorn.Config(
        make_app(server, hosts),
        access_log=False,  # addresses name nobody, and are not kept either
        log_level="error",
        server_header=False,
        date_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
        limit_concurrency=64,
    )
    shown = f"[{host}]" if ":" in host else host
    if password is None:
        ready(f"http://{shown}:{port}/enter?token={server.keys.token}")
    else:
        ready(f"http://{shown}:{port}/login")
    try:
        uvicorn.Server(config).run([listening])
    finally:
        server.jobs.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise InputError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror}); "
            "choose another port"
        ) from error
    return listening
