"""Closed standard streams and locales other than UTF-8: correct exit codes and names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process


def run(closed: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" -c "from idia_index.cli.main import main; main()" "$@" {closed}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, *arguments],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_nothing_but_what_they_would_show(closed: str) -> None:
    for arguments, code in ((("backends",), 0), (("info", "/nowhere"), 2)):
        done = run(closed, *arguments)
        assert done.returncode == code, done
        assert "Traceback" not in done.stdout + done.stderr
        if ">&-" not in closed.replace("2>&-", "") and not code:
            assert "backends:" in done.stdout


def test_surroundings_that_stop_a_command_are_one_true_line(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('shadow')")
    for redirected, arguments, environment, told in (
        (">/dev/full", ("--help",), {}, "the output cannot be written (No space left on device)"),
        ("", ("info", "x"), {"PYTHONPATH": str(tmp_path)}, "shadow: .*PYTHONPATH"),
        ("", ("build", "x", "--names=~/n"), {"HOME": str(tmp_path)}, "Missing option '--model'"),
        ("", ("info", "~/x"), {"HOME": str(tmp_path)}, f"{tmp_path}/x: no such index"),
    ):
        if redirected and not Path("/dev/full").exists():
            continue
        done = run(redirected, *arguments, **environment)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done
        assert re.search(told.replace("(", "\\(").replace(")", "\\)"), done.stderr), done


def test_file_names_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    if shutil.which("localedef") is None:
        pytest.skip("makes no locales")
    made = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / "en_US.ISO-8859-1")]
    if subprocess.run(made, capture_output=True, check=False).returncode > 1:
        pytest.skip("has no sources of locales")
    (tmp_path / "Renée Müller").mkdir()
    locale = {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}
    done = run("", "audit", str(tmp_path / "none"), str(tmp_path), **locale)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    code = (
        "from idia_index.subjects.subjects import make_subject; import sys;"
        "print(ascii(make_subject(sys.argv[1], [sys.argv[2]]).name))"
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = subprocess.run(
        [sys.executable, "-c", code, "Renée Müller", str(tmp_path / "a.png")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **locale, "PYTHONUTF8": "0"},
    )
    assert done.stdout.strip() == ascii("Renée Müller")
