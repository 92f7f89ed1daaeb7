"""Errors that people see: one line that names the value, the file and the mend."""

from __future__ import annotations


class IdiaIndexError(Exception):
    """Anything that idia-index refuses or fails to do; the command line exits with 1."""

    exit_code = 1


class InputError(IdiaIndexError):
    """Wrong use or bad input: a value, a file or an argument; the command line exits with 2."""

    exit_code = 2


class MissingExtraError(InputError):
    """A package of an optional extra is not installed.

    Args:
        what: what needs it, as a person would say it ("the open_clip backend").
        package: the import that failed.
        extra: the extra of this package that brings it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the package '{package}', which is not installed: "
            f"pip install 'idia-index[{extra}]'"
        )
