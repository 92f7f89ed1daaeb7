"""`idia-index serve`."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path

import click

from idia_index import open_index
from idia_index.cli.options import DIRECTORY, reference_option
from idia_index.cli.terminal import note, say
from idia_index.errors import InputError, MissingExtraError
from idia_index.pipelines.report_files import LANGUAGES


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index serve\n"
    "  idia-index serve people.idia --open\n"
    "  PAGES=secret idia-index serve people.idia --host 192.168.1.5 --password-env PAGES"
)
@click.argument("index", type=DIRECTORY, required=False)
@reference_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen on; a free one by default.",
)
@click.option(
    "--password-env",
    metavar="VARIABLE",
    help="Environment variable with the password, required for any other --host.",
)
@click.option(
    "--language",
    type=click.Choice(list(LANGUAGES)),
    help="Initial language of the pages; by default the browser's preference.",
)
@click.option("--open/--no-open", "open_browser", default=False, help="Open the link in a browser.")
def command(
    index: Path | None,
    reference_faces: Path | None,
    host: str,
    port: int,
    password_env: str | None,
    language: str | None,
    open_browser: bool,
) -> None:
    """Run audits from a browser instead of a terminal, on this computer only.

    Test one person or several people, or open a report. Uses INDEX or, without it, the practice
    model that comes with idia-index. Photos stay in memory, nothing is sent anywhere, and no log
    is kept. Stop with Ctrl+C.
    """
    if index is not None:
        open_index(index).close()
    password = None
    if password_env is not None:
        password = os.environ.get(password_env)
        if not password:
            raise InputError(f"--password-env {password_env}: this environment variable is not set")
    try:
        from idia_index.serve.run import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("idia_index"):
            raise
        raise MissingExtraError("serve", error.name, "serve") from error

    def ready(link: str) -> None:
        say(link)
        note("open this link in a browser; Ctrl+C stops the server and discards what was uploaded")
        if open_browser:
            webbrowser.open(link)

    serve(
        index, reference_faces=reference_faces, host=host, port=port, password=password,
        language=language, ready=ready,
    )  # fmt: skip
