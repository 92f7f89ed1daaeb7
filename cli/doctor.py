"""`idia-index doctor`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from idia_index.cli.options import json_option, write_json
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import IdiaIndexError, install_command
from idia_index.registry import BACKENDS, INDEXES, available, load_plugin
from idia_index.support.threads import processors


@dataclass(frozen=True)
class Check:
    """Something that was tested, whether it works, and what was found or what to do."""

    what: str
    works: bool
    found: str


@dataclass(frozen=True)
class DoctorReport:
    """What works on this machine.

    Attributes:
        usable: whether at least one backend and one index type work.
        checks: everything that was tested.
    """

    usable: bool
    checks: tuple[Check, ...]


def _try(what: str, attempt: Callable[[], str], stages: Stages) -> Check:
    stages(f"testing {what}")
    try:
        return Check(what, True, attempt())
    except IdiaIndexError as error:
        return Check(what, False, str(error))
    # Whatever a broken installation raises is what the doctor is there to report.
    except Exception as error:  # noqa: BLE001
        return Check(what, False, f"{type(error).__name__}: {error}")


def _backend(name: str) -> Callable[[], str]:
    return lambda: str(load_plugin(BACKENDS, name).self_test())


def _index(name: str) -> Callable[[], str]:
    return lambda: str(load_plugin(INDEXES, name)().self_test())


def _checks(stages: Stages) -> list[Check]:
    """Everything that the doctor tests."""
    here = f"{platform.python_version()} at {sys.executable}, {len(processors())} cores"
    return [
        Check("python", True, here),
        *(_try(f"backend {name}", _backend(name), stages) for name in available(BACKENDS)),
        *(_try(f"index {name}", _index(name), stages) for name in available(INDEXES)),
    ]


@click.command(epilog="\b\nExample:\n  idia-index doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Test every installed backend and index type, and say how to get the others working.

    Exits with status 0 if at least one backend and one index type work, otherwise with 1.
    """
    with Stages(None) as stages:
        tried = _checks(stages)
    enough = all(
        any(check.works and check.what.startswith(kind) for check in tried)
        for kind in ("backend", "index")
    )
    if as_json:
        write_json(DoctorReport(enough, tuple(tried)))
    else:
        width = max(len(check.what) for check in tried)
        for check in tried:
            mark = "works" if check.works else "fails"
            say(f"{check.what:<{width}}  {mark}  {check.found}")
        if enough:
            say("Ready: idia-index demo")
        else:
            say(f"Not usable yet; for the smallest installation: {install_command('cpu')}")
    ctx.exit(0 if enough else 1)
