"""Documents refer only to existing files, links, make targets and commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idia_index import __version__
from idia_index.cli.main import VERBS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
# Code, tests and documents named in backticks by their path from the top.
PATH = re.compile(r"`((?:idia_index|backends|indexes|cli|tests|docs|benchmarks)/[\w./-]+)`")
MAKE = re.compile(r"(?:`|^\s*|\$ )make ([a-z]+)\b", re.MULTILINE)
COMMAND = re.compile(r"(?:\$ |`)idia-index ([a-z]+(?:-[a-z]+)*)\b", re.MULTILINE)


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    if path.name == "CHANGELOG.md":
        pytest.skip("names what was there once")
    return path


def test_links_lead_to_files(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_named_files_exist(document: Path) -> None:
    for path in PATH.findall(document.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_make_has_the_targets(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(document.read_text(encoding="utf-8"))) <= targets


def test_the_commands_exist(document: Path) -> None:
    assert set(COMMAND.findall(document.read_text(encoding="utf-8"))) <= VERBS.keys()


@pytest.mark.parametrize(
    "heading", re.findall(r"^## From .*$", (ROOT / "docs" / "architecture.md").read_text(), re.M)
)
def test_a_walk_through_the_code_has_eight_modules_at_most(heading: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walk = text.split(heading)[1].split("\n## ")[0]
    assert 3 <= len(PATH.findall(walk)) <= 8


def test_the_version_is_cited() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_document_of_the_site_is_in_its_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert f": {path.name}\n" in navigation, path.name
