"""Errors that people see: one line that names the value, the file and the fix.

Programs branch on the class, never on the words.
"""

from __future__ import annotations

import re
import sys


class IdiaIndexError(Exception):
    """Anything that idia-index refuses or fails to do; the command line exits with 1."""

    exit_code = 1


class InputError(IdiaIndexError):
    """Wrong use or bad input: a value, a file or an argument; the command line exits with 2."""

    exit_code = 2


class UnreadableTextError(InputError):
    """A text that the model does not read whole: the name in it can be left out, the rest done."""


class ModelError(InputError):
    """A model that cannot be loaded, is broken, or is not the one that an index was built with."""


class DamagedIndexError(InputError):
    """An index whose files are missing, cut short, changed, or contradict each other."""


class NoSpaceError(InputError):
    """Not enough disk space for what is to be written."""


class RefusedError(InputError):
    """Refused for safety.

    A file that could run code or exhaust the machine, a folder that holds another's files,
    photos of several people given as one person's, or network access with `--offline`.
    """


class ServiceError(IdiaIndexError):
    """A service that runs a model did not answer as it must: the run ends, its answers stay.

    No `InputError`, because it says nothing of the image or the text that was asked for.
    """


class LostWorkError(IdiaIndexError):
    """Workers of an engine failed at a part of the work again and again; the rest of it is kept."""


class PolicyError(IdiaIndexError):
    """A rule of a policy that was given does not hold; the command line exits with 3."""

    exit_code = 3


class MissingExtraError(InputError):
    """A package of an optional extra is not installed, or does not import.

    Args:
        what: what needs it, as a person would say it ("the open_clip backend").
        package: the import that failed.
        extra: the extra of this package that brings it.
        broken: why an installed package does not import, "" where it is not installed; None: as
            the ImportError that is being handled says.
    """

    def __init__(self, what: str, package: str, extra: str, broken: str | None = None) -> None:
        if broken is None:
            broken = _why_broken(sys.exc_info()[1], package)
        state, fix = "is not installed", install_command(extra)
        if broken:
            state = f"is installed and does not import ({broken})"
            fix = f"free memory where it is short, else install it anew: {fix}"
        super().__init__(f"{what} needs the package '{package}', which {state}: {fix}")
        self._arguments = (what, package, extra, broken)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str, str]]:
        return type(self), self._arguments  # what pickling calls it with, not the message


def _why_broken(error: BaseException | None, package: str) -> str:
    """What keeps an installed package from being imported; "" where it is not installed."""
    if not isinstance(error, ImportError):
        return ""
    if isinstance(error, ModuleNotFoundError) and (error.name or package) == package:
        return ""
    return " ".join(str(error).split()) or type(error).__name__


def install_command(extra: str) -> str:
    """What installs an extra's packages, however idia-index itself was installed."""
    # Only here: it takes longer to import than `idia-index --help` may wait.
    from importlib.metadata import PackageNotFoundError, requires

    try:
        needed = requires("idia-index") or []
    except PackageNotFoundError:
        needed = []
    marked = re.compile(rf"""^(.*?)\s*;\s*extra\s*==\s*["']{extra}["']$""")
    packages = [found.group(1) for line in needed if (found := marked.match(line))]
    if not packages:
        return f"pip install 'idia-index[{extra}]'"
    return " ".join(["pip install", *(f"'{package}'" for package in packages)])
