"""Malicious checkpoints: no code runs, memory stays bounded, each gives one clear error."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("open_clip")

import open_clip_helper as helper
import torch

from idia_index.backends.torch_checkpoints import read_checkpoint
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError

MEMORY = 400 << 20  # that a refusal may take, beside what importing torch does


class Bomb:
    """Unpickled carelessly, writes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.proof)!r}, 'w').write('ran')",))


def packed(members: dict[str, bytes], path: Path, how: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def torch_zip(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> None:
    """As torch.save writes them; a data.pkl of one tensor where none is given."""
    torch.save({"w": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(whole)).split("/")[0]
    packed({**whole, **{f"{root}/{name}": data for name, data in members.items()}}, path, how)


def legacy_tar(path: Path, proof: Path) -> None:
    """The format of PyTorch before 2017, its storages a pickle that runs code."""
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(Bomb(proof))
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def long_memo(path: Path) -> None:
    """A pickle in a TorchScript archive that puts something at place 2**31 of the memo."""
    data = b"\x80\x02N" + b"r" + struct.pack("<I", (1 << 31) - 1) + b"."
    packed({"a/constants.pkl": b"", "a/data.pkl": data}, path)


def module_state(path: Path) -> None:
    """A pickle in a TorchScript archive that gives a function other attributes."""
    data = (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00xK\x01s"
            b"}X\x0c\x00\x00\x00__defaults__K\x01s\x86b.")  # fmt: skip
    packed({"a/constants.pkl": b"", "a/data.pkl": data}, path)


def safetensors_header(path: Path, header: object, length: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + b"\0" * 16)


def entry(dtype: str, shape: list[int], start: int, stop: int) -> dict[str, object]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}}


def overlapping(path: Path) -> None:
    """A zip of 1 MB whose members all lie on the same bytes: 2 GB when unpacked."""
    members = {f"a/data/{i}": b"" for i in range(2000)}
    packed(
        {"a/data.pkl": b"x", "a/constants.pkl": b"x", "a/big": b"\0" * (1 << 20), **members}, path
    )
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    offset = data.find(b"PK\x03\x04", data.find(b"a/constants.pkl"))
    while data[at : at + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        if data[at + 46 : at + 46 + name].startswith(b"a/data/"):
            struct.pack_into("<II", data, at + 20, 1 << 20, 1 << 20)
            struct.pack_into("<I", data, at + 42, offset)
        at += 46 + name + extra + comment
    path.write_bytes(data)


def run_bomb(kind: str) -> Callable[[Path, Path], None]:
    def make(path: Path, proof: Path) -> None:
        data = pickle.dumps({"w": Bomb(proof)})
        if kind == "zip":
            torch_zip(path, {"data.pkl": data})
        elif kind == "torchscript":
            packed({"a/constants.pkl": data, "a/data.pkl": data}, path)
        elif kind == "constants":
            torch_zip(path, {"constants.pkl": data})
        elif kind == "zip in zip":
            inner = io.BytesIO()
            torch.save({"w": Bomb(proof)}, inner)
            torch_zip(path, {"data.pkl": inner.getvalue()})
        elif kind == "after weights":
            torch.save({"w": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
            path.write_bytes(data + path.read_bytes())
        elif kind == "tar":
            legacy_tar(path, proof)

    return make


RUNS = ["zip", "torchscript", "constants", "zip in zip", "after weights", "tar"]


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("suffix", ["pt", "bin", "safetensors"])
def test_no_wrapping_makes_a_pickle_run(kind: str, suffix: str, tmp_path: Path) -> None:
    proof, path = tmp_path / "proof", tmp_path / f"w.{suffix}"
    run_bomb(kind)(path, proof)
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    assert not proof.exists()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


# --- what asks for memory, each in a process of its own that may not have it ---

GREEDY: dict[str, Callable[[Path], None]] = {
    "compressed zeros": lambda p: torch_zip(p, {"data/0": b"\0" * (1 << 29)}, zipfile.ZIP_DEFLATED),
    "overlapping members": overlapping,
    "place in the memo": long_memo,
    "header of 2**63 bytes": lambda p: safetensors_header(p, {}, (1 << 63) - 1),
    "header of 2 GB": lambda p: safetensors_header(p, {}, 1 << 31),
    "tensor of 2**60": lambda p: safetensors_header(p, entry("F32", [1 << 60], 0, 16)),
    "shape past 2**64": lambda p: safetensors_header(p, entry("F32", [1 << 40, 1 << 40], 0, 16)),
    "offsets past the end": lambda p: safetensors_header(p, entry("F32", [1 << 38], 0, 1 << 40)),
    "negative offsets": lambda p: safetensors_header(p, entry("F32", [4], -16, 0)),
    "deep header": lambda p: safetensors_header(p, b'{"a":' * 100_000),
    "legacy storage": lambda p: legacy_storage(p, 1 << 40),
}


def legacy_storage(path: Path, numbers: int) -> None:
    """A legacy file whose one storage says that it has so many numbers."""
    torch.save({"w": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    size = b"\x8a\x06" + struct.pack("<Q", numbers)[:6]
    data, found = re.subn(rb"(cpuq.)K\x03", lambda m: m[1] + size, path.read_bytes(), flags=re.S)
    assert found == 1
    path.write_bytes(data)


WORKER = """
import resource, sys
from pathlib import Path
from idia_index.backends.torch_checkpoints import read_checkpoint
from idia_index.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in map(Path, sys.argv[1:]):
    try:
        read_checkpoint(path)
        print("read", path.name)
    except InputError as error:
        print("refused", path.name, "\\n" in str(error), path.name in str(error))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    print("memory", grown)
"""


@pytest.mark.slow
def test_what_asks_for_memory_does_not_get_it(tmp_path: Path) -> None:
    paths = []
    for what, make in GREEDY.items():
        paths.append(tmp_path / f"{what.replace(' ', '-')}.pt")
        make(paths[-1])
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *map(str, paths)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[::2] == [f"refused {path.name} False True" for path in paths]
    assert max(int(line.split()[1]) for line in lines[1::2]) < MEMORY, lines


def test_functions_are_given_no_attributes(tmp_path: Path) -> None:
    module_state(tmp_path / "w.pt")
    with pytest.raises(InputError, match="attributes set on a function"):
        read_checkpoint(tmp_path / "w.pt")


# --- weights that are none, and files that are none, through the command line ---


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.empty(3, device="meta"), "without data"),
        (lambda: torch.eye(3).to_sparse(), "_rebuild_sparse_tensor"),
        (lambda: torch.ones(3, dtype=torch.complex64), "torch.complex64"),
        (lambda: torch.ones(3).to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "_rebuild_qtensor"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_hold_no_plain_numbers(
    make: Callable[[], Any], words: str, tmp_path: Path
) -> None:
    torch.save({"w": torch.ones(2), "odd": make()}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="'odd' is a tensor") as caught:
        read_checkpoint(tmp_path / "w.pt")
    assert words in str(caught.value)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    helper.register_tiny(tmp_path_factory.mktemp("configs"))
    return dict(helper.build(helper.config()).state_dict())


def test_views_over_one_number_are_no_weights(state: dict[str, Any], tmp_path: Path) -> None:
    from idia_index.backends.open_clip import OpenClipBackend

    path = tmp_path / "w.pt"
    torch.save({k: torch.ones((), dtype=v.dtype).expand(v.shape) for k, v in state.items()}, path)
    with pytest.raises(InputError, match=r"are views of .* bytes over"):
        OpenClipBackend(model=f"{helper.TINY}/{path}")
    torch.save({**state, "ln_final.bias": torch.ones(32, dtype=torch.int64)}, path)
    with pytest.raises(InputError, match=r"'ln_final.bias' is torch.int64"):
        OpenClipBackend(model=f"{helper.TINY}/{path}")


def make_place(kind: str, path: Path) -> str:
    """The SPEC of something that is no checkpoint."""
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "empty":
        path.touch()
    elif kind == "folder of pipes":
        path.mkdir()
        os.mkfifo(path / "open_clip_config.json")
        os.mkfifo(path / "config.json")
        os.mkfifo(path / "x.pt")
        return f"local-dir:{path}"
    return f"ViT-B-32/{path}"


@pytest.mark.parametrize("kind", ["directory", "pipe", "loop", "empty", "folder of pipes"])
def test_what_is_no_file_is_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = make_place(kind, tmp_path / "w.pt")
    (tmp_path / "names.txt").write_text("Jane Doe\n")
    names = ["--names", str(tmp_path / "names.txt")]
    assert run_command(["build", str(tmp_path / "index"), "--model", spec, *names], False) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and str(tmp_path / "w.pt") in said.err
    assert not said.out and not (tmp_path / "index").exists()
