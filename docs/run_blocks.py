"""Runs the `sh` code blocks of a document as written, each in order, in an empty folder.

    python docs/run_blocks.py README.md

The commands of the environment that runs this come first on PATH. Blocks marked otherwise
(`console`, `python`) are not run: they need downloads or a model of one's own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def blocks(text: str) -> list[str]:
    """The `sh` code blocks of a Markdown text."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def main() -> None:
    document = Path(sys.argv[1]).resolve()
    found = blocks(document.read_text(encoding="utf-8"))
    if not found:
        sys.exit(f"{document}: no sh block to run")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        for block in found:
            print(f"$ {block.rstrip()}", flush=True)
            # make finds its file in the checkout; everything else runs in the empty folder.
            script = f"make() {{ command make -C '{document.parent}' \"$@\"; }}\n{block}"
            subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=folder,
                env={**os.environ, "PATH": path},
                check=True,
            )
    print(f"{len(found)} blocks of {document.name} ran")


if __name__ == "__main__":
    main()
