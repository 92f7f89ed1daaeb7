"""Progress: what is reported, and when."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from idia_index.cli import progress
from idia_index.cli.progress import Stages


class Clock:
    """A clock that stands until it is set."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_what_is_left_comes_from_the_recent_rate(clock: Clock) -> None:
    stages = Stages(True)
    stages("encoding prompts", 0, 1000)
    for second in range(1, 101):  # a slow beginning: one a second
        clock.now = 1000.0 + second
        stages("encoding prompts", second, 1000)
    assert stages.line() == "encoding prompts: 100 of 1,000 (1/s, 15 min left)"
    for second in range(1, 31):  # then ten a second
        clock.now += 1
        stages("encoding prompts", 100 + 10 * second, 1000)
    assert stages.line() == "encoding prompts: 400 of 1,000 (10/s, 60 s left)"


def test_what_cannot_be_counted_says_how_long_it_takes(clock: Clock) -> None:
    stages = Stages(True)
    stages("loading the model")
    clock.now += 12
    assert stages.line() == "loading the model (12 s)"


def test_off_a_terminal_the_end_of_each_stage_is_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Stages(True) as stages:
        stages("one", 1, 2)
        stages("one", 2, 2)
        stages("two", 3, 3)
    assert capsys.readouterr().err == "one: 2 of 2\ntwo: 3 of 3\n"
    with Stages(None) as stages:
        stages("one", 1, 1)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_line_within_the_first_second() -> None:
    code = (
        "import time\nfrom idia_index.cli.progress import Stages\n"
        "with Stages(None) as s:\n s('loading the model'); time.sleep(3)\n"
    )
    main, side = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stderr=side)
    os.close(side)
    first = os.read(main, 1000)
    seen = time.monotonic()
    process.wait(30)
    assert time.monotonic() - seen > 1.5  # long before the end
    assert b"loading the model" in first
    os.close(main)


def test_on_a_terminal_an_item_of_a_list_is_wrapped() -> None:
    code = "from idia_index.cli.terminal import say; say('- ' + 12 * 'word ' + '\\n' + 50 * 'x')"
    main, side = pty.openpty()
    environment = {**os.environ, "COLUMNS": "30"}
    subprocess.run([sys.executable, "-c", code], stdout=side, env=environment, check=True)
    os.close(side)
    lines = os.read(main, 1000).decode().splitlines()
    os.close(main)
    assert lines[0] == "- " + "word " * 4 + "word" and lines[1].startswith("  word")
    assert lines[-1] == "x" * 50
