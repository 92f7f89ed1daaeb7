"""Offline mode opens no socket: Python's audit events show and refuse each one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_images

from idia_index.study import ONNX_DIR

# Runs the command line in a process that may open no socket of any sort, and says which were
# tried; the program's own guard, where there is one, stands behind it.
WATCHED = """
import sys
tried = []
def watch(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        if event not in ("socket.gethostname",):
            tried.append(event)
            raise OSError("forbidden: " + event)
sys.addaudithook(watch)
{extra}
from idia_index.cli.main import main
try:
    main()
finally:
    print(tried, file=sys.stderr)
"""


def watched(
    *arguments: object, extra: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
    return subprocess.run(
        [sys.executable, "-c", WATCHED.format(extra=extra), *map(str, arguments)],
        capture_output=True, text=True, check=False, env=env | environment,
    )  # fmt: skip


def test_a_study_of_local_files_opens_no_socket(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Jane Doe\nJohn Roe\nJim Poe\n")
    make_images(tmp_path / "people" / "Jane_Doe", 3)
    index, out = tmp_path / "i", tmp_path / "out"
    for arguments in (
        ("build", index, "--model", ONNX_DIR, "--names", tmp_path / "names.txt"),
        ("audit", index, tmp_path / "people", "--out", out, "--include-images", "--json"),
    ):
        for more in ((), ("--offline",)):
            done = watched(
                *arguments, *more, *(["--resume"] if more and "build" in arguments else [])
            )
            assert done.returncode == 0, done.stderr
            assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout)["subjects"][0]["images"] == 3


@pytest.mark.parametrize("spec", ["ViT-B-32/laion2b_s34b_b79k"])
def test_what_would_have_to_be_fetched_says_so_in_a_line(tmp_path: Path, spec: str) -> None:
    pytest.importorskip("open_clip")
    build = ("build", tmp_path / "i", "--model", spec, "--sample-names", 3)
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path)}
    done = watched("--offline", *build, **home)
    assert done.returncode == 2
    said, tried = done.stderr.splitlines()
    # Older libraries for the hub try, when they are imported, whether there is IPv6, and may not.
    assert tried in ("[]", "['socket.__new__']")
    assert said.startswith(f"idia-index: model {spec}: cannot get its files")
    assert "load it once without --offline, or download the weights elsewhere and name" in said


REPORTS = """
import os, sys
told = []
def watch(event, arguments):
    if event == "import" and arguments[0] in ("onnxruntime", "huggingface_hub"):
        names = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
        told.append((arguments[0], [os.environ.get(name) for name in names]))
sys.addaudithook(watch)
{start}
print(sorted(set(map(str, told))))
"""


@pytest.mark.parametrize(
    "start",
    [
        "import idia_index.backends.onnx",
        "from idia_index.registry import backend_class; backend_class('onnx')",
    ],
)
def test_libraries_are_told_to_report_nothing_before_they_are_imported(
    tmp_path: Path, start: str
) -> None:
    """Whatever the environment says; and ONNX Runtime leaves no identifier of the machine."""
    names = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    env = {k: v for k, v in os.environ.items() if k not in names}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    start += f"; import idia_index as i; i.load_backend('onnx', model={str(ONNX_DIR)!r})"
    start += ".encode_texts(['a'])"
    done = subprocess.run(
        [sys.executable, "-c", REPORTS.format(start=start)],
        capture_output=True, text=True, check=True, env=env | home,
    )  # fmt: skip
    assert done.stdout == "[\"('onnxruntime', ['1', '1'])\"]\n"
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files <= {"weights-sha256.json"}


CONNECTING = """
import idia_index.cli.{verb} as verb
def connect(*_, **__):
    import socket, urllib.request
    from idia_index.errors import InputError
    for attempt in (
        lambda: socket.socket(),
        lambda: socket.create_connection(("127.0.0.1", 9), 1),
        lambda: socket.getaddrinfo("localhost", 80),
        lambda: urllib.request.urlopen("http://127.0.0.1:9/"),
    ):
        try:
            attempt()
        except InputError as error:
            print(error)
    raise InputError("none of them")
verb.{place} = connect
"""


@pytest.mark.parametrize(
    ("arguments", "environment", "verb", "place"),
    [
        (("demo",), {}, "demo", "run_demo"),
        (("query", "--offline", "i", "x", "--name", "A"), {}, "query", "open_index"),
        (("query", "i", "x", "--name", "A", "--offline"), {}, "query", "open_index"),
        (("info", "i"), {"IDIA_INDEX_OFFLINE": "1"}, "info", "open_index"),
    ],
)
def test_offline_forbids_what_any_library_tries(
    tmp_path: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    verb: str,
    place: str,
) -> None:
    """In `demo` by default, else by the flag anywhere on the line or by the environment."""
    code = CONNECTING.format(verb=verb, place=place)
    code += "from idia_index.cli.main import main\nmain()"
    env = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")} | environment
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False, env=env, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.endswith("idia-index: none of them\n")
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and all(line.startswith("offline: something tried") for line in lines)


def test_a_flag_behind_two_dashes_is_a_file(tmp_path: Path) -> None:
    code = (
        "import os; from idia_index.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(os.environ.get('IDIA_INDEX_OFFLINE'))"
    )
    env = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-c", code, "info", "--", "--offline"],
        capture_output=True, text=True, check=False, env=env, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2 and "--offline: no such index" in done.stderr
    assert done.stdout == "None\n"
