"""The `idia-index` command: verbs are loaded on demand, and an error is one line."""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
import warnings
from importlib import import_module
from types import TracebackType
from typing import TextIO

import click

from idia_index._version import __version__
from idia_index.cli import interrupts, streams
from idia_index.cli.terminal import note, say, set_verbosity
from idia_index.errors import IdiaIndexError
from idia_index.support.offline import go_offline, is_offline
from idia_index.support.text import shown_path

# Each verb with its line in the list of commands; its module is imported only when it runs, so
# that the list itself appears at once.
VERBS = {
    "demo": "Run the controlled study that comes with idia-index, offline.",
    "build": "Build an index: encode names and templates with a model.",
    "query": "Ask whether the model associates one person's face with their name.",
    "audit": "Test many people and write a report.",
    "evaluate": "Measure how accurate the audit is, on people of known membership.",
    "photos": "Show what a model sees of people's photos and which photos count.",
    "compare": "Compare two models: who is still associated, and more than by chance?",
    "canary": "Plant people in training data and prove what a model leaks about them.",
    "study": "Reproduce one of the paper's studies with your images and checkpoints.",
    "members": "Count how often each name appears in training captions.",
    "non-members": "Draw names that appear in no caption but resemble the members' names.",
    "serve": "Run audits from a browser instead of a terminal.",
    "plan": "Compute how many people, images and control names a claim needs.",
    "persona": "Draw names for personas before publication and test for them later.",
    "replay": "Recompute a report and check every value in it.",
    "add": "Add names or templates to an index.",
    "remove": "Remove names from an index.",
    "compact": "Delete removed names from disk and merge small shards.",
    "verify": "Check every byte and row of an index.",
    "repair": "Re-encode the damaged shards of an index.",
    "info": "Show what an index holds and what it was built from.",
    "export": "Export a model to ONNX, to run it without PyTorch.",
    "parity": "Compare two backends: tokens, embeddings, predictions, decisions.",
    "backends": "List the installed backends and index types.",
    "doctor": "Check which backends and index types work here.",
}


def _tell_repeated(command: click.Command, parent: click.Context, arguments: list[str]) -> None:
    """Notes an option that is given more than once, of which only the last counts."""
    try:
        parser = command.make_parser(click.Context(command, parent=parent))
        given = parser.parse_args(list(arguments))[2]
    except click.UsageError:
        return  # the command itself reports it
    for option in dict.fromkeys(given):
        once = isinstance(option, click.Option) and not option.multiple and not option.is_flag
        if once and given.count(option) > 1:
            note(f"{option.opts[0]} is given {given.count(option)} times; the last one counts")


_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_HOME = re.compile(r"^([^~]*=)?~(?=/)")  # shells do not expand the ~ of --names=~/names.txt


class Verbs(click.Group):
    """A group whose commands each live in their own module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = import_module(f"idia_index.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches  # needed for a misspelt verb alone

            close = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _tell_repeated(command, ctx, rest)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Models use all cores; to use fewer, set IDIA_INDEX_THREADS (ONNX Runtime) or "
    "OMP_NUM_THREADS (PyTorch).\n\nTry it now: idia-index demo",
)
@click.version_option(__version__, prog_name="idia-index")
@click.option("--debug", is_flag=True, help="Show a traceback on errors.")
@click.option(
    "--offline",
    is_flag=True,
    help="Open no network connections: load models only from files and local caches.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only results and errors.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Print all notes, and progress even without a terminal."
)
def cli(debug: bool, offline: bool, quiet: bool, verbose: bool) -> None:
    """Find out whether a CLIP model knows a face by name.

    Identity inference (Hintersdorf et al., JAIR 2024): show the model photos of a person, let it
    choose among about a thousand names in each of 21 prompt templates, and count the templates in
    which it chooses the right name. For auditing models with the subject's consent or another
    lawful basis.

    --debug, --offline, -q and -v may appear anywhere on the command line.
    """


def main() -> None:
    """Runs the command; exits with 0, 1, 2 or 3, and shows a traceback only with --debug."""
    streams.prepare()
    interrupts.watch()
    debug, arguments = _taken(sys.argv[1:], "--debug")
    offline, arguments = _taken(arguments, "--offline")
    quiet, arguments = _taken(arguments, "-q", "--quiet")
    verbose, arguments = _taken(arguments, "-v", "--verbose")
    arguments = [_HOME.sub(_at_home, argument) for argument in arguments]
    set_verbosity(verbose - quiet)
    if offline or is_offline():
        go_offline()
    if not debug:
        # Pillow warns about damaged EXIF and large images; what matters among these is an error
        # or a field of the report.
        warnings.filterwarnings("ignore", module=r"PIL\.")
    os.environ.pop("MPLBACKEND", None)  # figures are written and never shown
    warnings.showwarning = _show_warning
    sys.excepthook = _show_traceback
    code = 1
    try:
        code = run(arguments, debug)
        interrupts.ignore()
    except KeyboardInterrupt:  # a second one, or one when all was done
        pass
    interrupts.leave(code)


def _taken(arguments: list[str], *flags: str) -> tuple[bool, list[str]]:
    """Whether a global flag is given, anywhere on the line, and the remaining arguments."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [argument for argument in arguments[:end] if argument not in flags]
    return len(rest) < end, rest + arguments[end:]


def _at_home(found: re.Match[str]) -> str:
    return f"{found[1] or ''}{os.path.expanduser('~')}"  # noqa: PTH111 (as it is without a home)


def run(arguments: list[str], debug: bool) -> int:
    """Runs one command line and returns its exit code; an error is a line on standard error."""
    try:
        result = cli.main(arguments or ["--help"], prog_name="idia-index", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "idia-index"
        return _failed(f"{error.format_message()} (see {path} --help)", 2)
    except click.ClickException as error:
        return _failed(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _failed("interrupted", 1)
    except BrokenPipeError:
        _drop_output()  # its reader has closed it
        return 1
    except IdiaIndexError as error:
        if interrupts.asked():
            return _failed("interrupted", 1)
        if debug:
            raise
        return _failed(str(error), error.exit_code)
    except Exception as error:
        if interrupts.asked():
            return _failed("interrupted", 1)
        if debug:
            raise
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return _failed("the working folder no longer exists; change to another and try again", 2)
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN:
        _drop_output()
        return _failed(f"the output cannot be written ({error.strerror}); send it elsewhere", 2)
    if isinstance(error, ImportError):
        return _failed(
            f"{error}: a package is broken, or is shadowed by another of the same name in "
            "PYTHONPATH or the working folder; run idia-index doctor to see what works", 2,
        )  # fmt: skip
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        # A path that the system refuses before our own checks reach it.
        name = shown_path(os.fsdecode(error.filename))
        return _failed(f"{name}: {error.strerror}; check the path and its permissions", 2)
    return _failed(f"{type(error).__name__}: {error} (--debug shows where)", 1)


def _drop_output() -> None:
    """Lets what is left of the output go nowhere; Python would complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(message: str, code: int) -> int:
    say("idia-index: " + " ".join(message.split()), err=True)
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if category is UserWarning:  # ours, and those of libraries meant for the end user
        note(" ".join(str(message).split()))


def _show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    say("".join(traceback.format_exception(kind, error, trace)), err=True)
