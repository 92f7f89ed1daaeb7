"""Puts the documents at the top of the repository into the site, their links as they are there."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each of `PAGES`."""
    root = Path(config.docs_dir).parent
    for name, page in PAGES.items():
        text = LINK.sub(_link, (root / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def _link(found: re.Match[str]) -> str:
    """A link from the top of the repository, as one from `docs/`; to other files, its words."""
    image, words, target = found.groups()
    if target in PAGES:
        return f"[{words}]({PAGES[target]})"
    if target.startswith("docs/"):
        return f"{image}[{words}]({target.removeprefix('docs/')})"
    return words
