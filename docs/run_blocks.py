"""Runs the `sh` code blocks of a document as written, in order, in the document's folder.

    python docs/run_blocks.py README.md

One shell runs them all, so that an environment that one block activates is there in the next.
Blocks marked otherwise (`console`, `python`) are not run: they need a network or a model of
one's own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def blocks(text: str) -> list[str]:
    """The `sh` code blocks of a Markdown text."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def main() -> None:
    document = Path(sys.argv[1]).resolve()
    found = blocks(document.read_text(encoding="utf-8"))
    if not found:
        sys.exit(f"{document}: no sh block to run")
    # -v shows each line as it is read, before it runs.
    done = subprocess.run(["bash", "-veuo", "pipefail", "-c", "".join(found)], cwd=document.parent)
    if done.returncode:
        sys.exit(f"{document}: a block failed")
    print(f"{len(found)} blocks of {document.name} ran")


if __name__ == "__main__":
    main()
