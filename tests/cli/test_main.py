"""The command as a whole: help, suggestions, verbosity, and interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import make_images

from idia_index.cli.main import VERBS, run

CLI = (sys.executable, "-m", "idia_index")


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=120
    )


def test_alone_it_shows_the_whole_help() -> None:
    alone, asked = command(), command("--help")
    assert alone.returncode == 0 and alone.stderr == ""
    assert alone.stdout == asked.stdout
    for verb in VERBS:
        assert f"\n  {verb} " in alone.stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["biuld", "x"], "No such command 'biuld'. Did you mean 'build'?"),
        (["build", "x", "--templaes", "t"], "'--templates'"),
        (["--ofline", "info", "x"], "'--offline'"),
        (["zzz"], "No such command 'zzz'. (see idia-index --help)"),
    ],
)
def test_a_slip_gets_a_suggestion(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments, False) == 2
    line = capsys.readouterr().err
    assert hint in line and line.count("\n") == 1


def test_an_empty_path_is_not_the_working_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the shell makes one of a variable that is not set."""
    for arguments in (["info", ""], ["audit", str(tmp_path), ""], ["demo", "--out", ""]):
        assert run(arguments, False) == 2
        assert "the path is empty; name a file or folder" in capsys.readouterr().err


def test_an_option_that_is_given_twice_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--fpr", "0.5", "--fpr=0.01", "--json"], False) == 0
    out, err = capsys.readouterr()
    assert err == "note: --fpr is given 2 times; the last one counts\n"
    assert run(["plan", "--fpr", "0.01", "--json"], False) == 0
    assert capsys.readouterr() == (out, "")


def test_serve_wants_an_index_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", str(tmp_path / "none")], False) == 2
    assert "none: no such index" in capsys.readouterr().err


def test_importing_the_library_sets_no_signal_handler_and_needs_no_alarm() -> None:
    check = (
        "import signal, sys\n"
        "before = [signal.getsignal(s) for s in signal.valid_signals()]\n"
        "del signal.SIGALRM, signal.setitimer\n"
        "import idia_index, idia_index.cli.main\n"
        "[getattr(idia_index, name) for name in idia_index.__all__]\n"
        "assert before == [signal.getsignal(s) for s in signal.valid_signals()]\n"
        "assert sys.excepthook is sys.__excepthook__\n"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    process = subprocess.Popen(
        [*CLI, "demo", "--out", str(tmp_path / "demo")], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    process.stderr.readline()  # the model is loaded, and portraits are drawn
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert [line for line in err.splitlines() if line] == ["idia-index: interrupted"]


@pytest.mark.skipif(os.name == "nt", reason="folders of its own")
def test_quiet_says_results_and_errors_alone(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = command("-q", "plan")
    assert done.returncode == 0 and done.stderr == "" and "non-members" in done.stdout
    make_images(tmp_path / "p", 1)
    failed = command("query", tmp_path / "gone", tmp_path / "p", "--name", "A B", "--quiet")
    assert failed.returncode == 2 and failed.stderr.startswith("idia-index: ")
