"""Systems without locks: other file systems, and a simulated Windows."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_backend import ToyBackend

from idia_index import InputError, build_index, open_index
from idia_index.pipelines.change import add_names
from idia_index.prompts.names import make_names
from idia_index.support.locks import writer_lock

NAMES = ["Jane Doe", "Adam Low", "Eva Noor"]


@pytest.mark.parametrize("code", ["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_without_locks_is_written_with_a_warning(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = getattr(errno, code)

    def none(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none)
    toy = ToyBackend(model="toy")
    with pytest.warns(UserWarning, match="has no locks") as told:
        build_index(tmp_path / "i", toy, NAMES).close()
    assert "free space" not in str(told[0].message) and str(tmp_path / "i") in str(told[0].message)
    with pytest.warns(UserWarning, match="has no locks"):
        add_names(tmp_path / "i", toy, make_names(["Ida Berg"])).index.close()
    assert len(open_index(tmp_path / "i")) == 4


def test_another_failure_of_locking_is_one_true_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fails)
    with (
        pytest.raises(InputError, match="Input/output error") as caught,
        writer_lock(tmp_path / "lock"),
    ):
        pass
    assert "free space" not in str(caught.value)


WITHOUT = """
import os, signal, sys
sys.modules["fcntl"] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "fchmod", "posix_fadvise",
             "sched_getaffinity", "sysconf"):
    delattr(os, name)
for name in ("SIGALRM", "setitimer", "SIGXFSZ"):
    delattr(signal, name)
plain = os.open
def open_files_alone(path, *arguments, **options):
    if isinstance(path, (str, os.PathLike)) and os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))  # as Windows answers
    return plain(path, *arguments, **options)
os.open = open_files_alone
"""


def run_without(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    script = f"{WITHOUT}\nsys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_help_needs_nothing_that_windows_lacks() -> None:
    done = run_without("sys.argv[0] = 'idia-index'; from idia_index.cli.main import main; main()")
    assert done.returncode == 0 and "Commands:" in done.stdout, done.stderr


def test_build_and_audit_need_nothing_that_windows_lacks(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from conftest import make_images
from toy_backend import ToyBackend
from idia_index import audit, build_index, make_subject, open_index
folder, toy = Path(sys.argv[1]), ToyBackend(model="toy")
build_index(folder / "i", toy, ["Jane Doe", "Adam Low"], index_type="numpy")
person = make_subject("Jane Doe", make_images(folder / "p", 2))
print(audit(open_index(folder / "i"), toy, [person]).subjects[0])
"""
    done = run_without(code, tmp_path)
    assert done.returncode == 0 and "Jane Doe" in done.stdout, done.stderr
    assert "has no locks" in done.stderr
