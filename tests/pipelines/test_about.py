"""The auditor's statements appear on the first page and in the document, and nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.pipelines.about import read_about
from idia_index.prompts.names import make_names

pytestmark = pytest.mark.usefixtures("toy_plugin")

ABOUT = """
title = "Audit of <b>model</b> 7"
date = 2026-03-01
organisation = "Ärztekammer & Co"
purpose = \"\"\"before
release\"\"\"
lawful_basis = "consent"
auditor = "Jane Doe"
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    build_index(tmp_path / "i", ToyBackend(model="toy"), make_names(["A B", "C D", "E F"]))
    make_images(tmp_path / "people" / "A_B", 3)
    make_images(tmp_path / "people" / "C_D", 3)
    (tmp_path / "about.toml").write_text(ABOUT, encoding="utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = run_command([str(argument) for argument in arguments], debug=False)
    return code, capsys.readouterr().err


def test_what_is_stated_stands_first_and_is_kept(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about, out, again = world / "about.toml", world / "out", world / "again"
    assert (
        run(capsys, "audit", world / "i", world / "people", "--about", about, "--out", out)[0] == 0
    )
    assert run(capsys, "replay", out)[0] == 0
    sizes = ("--sample-sizes", "1,3", "--min-images", "3")
    code, told = run(capsys, "evaluate", "--from", out, *sizes, "--out", again)
    assert code == 0, told
    for folder in (out, again):
        stated = json.loads((folder / "report.json").read_text())["replay"]["about"]
        assert stated["purpose"] == "before release" and stated["date"] == "2026-03-01"
        page = (folder / "index.html").read_text(encoding="utf-8")
        first = page[: page.index("</section>")]
        assert "<h1>Audit of &lt;b&gt;model&lt;/b&gt; 7</h1>" in first
        for text in ("2026-03-01", "Ärztekammer &amp; Co", "consent", "Jane Doe"):
            assert text in first
        assert "Nothing was sent anywhere" in first


def test_about_goes_into_a_report_only(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(
        capsys, "audit", world / "i", world / "people", "--about", world / "about.toml"
    )
    assert code == 2 and "pass --out DIR" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "titel = 'x'\nLawful = 'y'",
            "unknown key 'titel', 'Lawful'; available: title",
        ),
        ("title = 3", "title: '3' is not text"),
        ("title = ''", "title: '' is not text"),
        ("[title]\na = 'b'", "is not text"),
        ("title", "is not TOML"),
        ("title = '\u202e'", "U\\+202E"),
        (f"title = '{'x' * 401}'", "has 401 characters; at most 400"),
    ],
)
def test_what_is_no_statement_is_refused_by_its_key(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        read_about(tmp_path / "a.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_about(tmp_path / "none.toml")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "about.toml")
    with pytest.raises(InputError, match=r"about\.toml: cannot be read .*not a regular file"):
        read_about(tmp_path / "about.toml")
