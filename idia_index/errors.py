"""The errors users see: one line that names the value, the file and the fix.

Programs should branch on the class, never on the message.
"""

from __future__ import annotations

import re
import sys


class IdiaIndexError(Exception):
    """Base class of all errors that idia-index raises; the command line exits with 1."""

    exit_code = 1


class InputError(IdiaIndexError):
    """Wrong use or bad input: a value, a file or an argument; the command line exits with 2."""

    exit_code = 2


class UnreadableTextError(InputError):
    """A text the model cannot read in full; its name can be left out and the rest encoded."""


class ModelError(InputError):
    """A model that cannot be loaded, is broken, or is not the one an index was built with."""


class DamagedIndexError(InputError):
    """An index whose files are missing, truncated, modified or inconsistent with each other."""


class NoSpaceError(InputError):
    """Not enough disk space for the output."""


class RefusedError(InputError):
    """Refused for safety.

    A file that could run code or exhaust the machine, an output folder that holds other files,
    photos of several people passed as one person's, or network access with `--offline`.
    """


class ServiceError(IdiaIndexError):
    """A service that runs a model did not respond correctly: the run ends, its answers are kept.

    Not an `InputError`, because the image or text in the request is not at fault.
    """


class LostWorkError(IdiaIndexError):
    """Workers of an engine failed repeatedly at part of the work; the rest of it is kept."""


class PolicyError(IdiaIndexError):
    """A rule of the run's policy failed; the command line exits with 3."""

    exit_code = 3


class MissingExtraError(InputError):
    """A package of an optional extra is not installed, or cannot be imported.

    Args:
        what: what needs it, in words ("the open_clip backend").
        package: the import that failed.
        extra: the extra of this package that provides it.
        broken: why an installed package cannot be imported, "" if it is not installed; None: taken
            from the ImportError being handled.
    """

    def __init__(self, what: str, package: str, extra: str, broken: str | None = None) -> None:
        if broken is None:
            broken = _why_broken(sys.exc_info()[1], package)
        state, fix = "is not installed", install_command(extra)
        if broken:
            state = f"is installed but cannot be imported ({broken})"
            fix = f"free some memory if it is short, otherwise reinstall it: {fix}"
        super().__init__(f"{what} needs the package '{package}', which {state}: {fix}")
        self._arguments = (what, package, extra, broken)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str, str]]:
        return type(self), self._arguments  # what pickling calls it with, not the message


def _why_broken(error: BaseException | None, package: str) -> str:
    """Why an installed package cannot be imported; "" if it is not installed."""
    if not isinstance(error, ImportError):
        return ""
    if isinstance(error, ModuleNotFoundError) and (error.name or package) == package:
        return ""
    return " ".join(str(error).split()) or type(error).__name__


def install_command(extra: str) -> str:
    """The command that installs an extra's packages, however idia-index itself was installed."""
    # Imported only here: it would slow down `idia-index --help`.
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
