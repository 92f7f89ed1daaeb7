"""Joins a Ray cluster or starts one on this machine, and determines its size."""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from idia_index.errors import IdiaIndexError, InputError, MissingExtraError, RefusedError
from idia_index.support.offline import is_offline
from idia_index.support.threads import workers as processors

# Read by Ray on import; otherwise it reports usage, and says so in every terminal.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
try:
    import ray as ray
except ImportError as error:
    raise MissingExtraError("the engine 'ray'", error.name or "ray", "cluster") from error

ADDRESS = "RAY_ADDRESS"
STORE_BYTES = 512 << 20  # object store of a cluster started here; shards go through the disk


@dataclass(frozen=True)
class Size:
    """The number of workers and the resources of each.

    Attributes:
        workers: number of workers.
        cpus: processors of each, also its threads.
        gpus: GPUs of each, or a share of one.
    """

    workers: int
    cpus: int
    gpus: float


def check(address: str | None) -> None:
    """Raises InputError if `--offline` forbids sockets, or for an unusable address."""
    if is_offline():
        raise RefusedError(
            "--offline: the engine 'ray' talks to its workers through sockets; omit --offline or "
            "--engine"
        )
    if address is not None and address.startswith("ray://"):
        raise InputError(
            f"--engine ray:{address}: this is the Ray client's address; run the command on a "
            "machine of the cluster, and pass HOST:PORT or auto"
        )


def join(address: str | None) -> None:
    """Connects this process to a cluster, once; starts one if no address is given.

    Raises:
        IdiaIndexError: there is none at the address, or none can be started.
    """
    if ray.is_initialized():
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    told: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is None:
        # Otherwise Ray writes one into the user's home that everyone can read.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        told |= {
            "num_cpus": processors(), "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }  # fmt: skip
    handler = signal.getsignal(signal.SIGTERM)
    tell_on_stderr()
    try:
        # "local" starts one regardless of the environment.
        ray.init(address or "local", **told)
    # If its processes do not start in time, Ray raises a plain Exception.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise IdiaIndexError(
            f"--engine ray: no cluster at {address} ({reason}); start one with: ray start --head"
            if address
            else f"--engine ray: no cluster can be started on this machine ({reason}); if it is "
            "busy, try again later, or omit --engine"
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def tell_on_stderr() -> None:
    """Prevents Ray from reporting dead workers on standard output, which may be JSON."""
    module = ray._private.worker
    told = module.print_to_stdstream
    if getattr(told, "func", None) is not _told:
        module.print_to_stdstream = partial(_told, told)


def _told(tell: Callable[..., None], data: dict[str, Any], **options: Any) -> None:
    tell({**data, "is_err": True}, **options)


def size(workers: int | None, gpus_per_worker: float | None) -> Size:
    """The number of workers to use of a joined cluster; by default all that fit.

    Raises:
        InputError: it cannot provide the requested GPUs.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = gpus_per_worker or 0.0
    nodes = [node for node in nodes if node.get("GPU", 0) >= gpus and node.get("CPU", 0) >= 1]
    if not nodes:
        asked = f" and {gpus:g} GPUs" if gpus else ""
        raise InputError(
            f"--gpus-per-worker {gpus:g}: no machine of the cluster has a processor{asked}; "
            "request fewer, or omit it"
        )
    if gpus:
        workers = workers or sum(math.floor(node["GPU"] / gpus) for node in nodes)
    else:
        workers = workers or sum(int(node["CPU"]) for node in nodes)
    each = math.ceil(workers / len(nodes))
    return Size(workers, max(1, min(int(node["CPU"]) for node in nodes) // each), gpus)
