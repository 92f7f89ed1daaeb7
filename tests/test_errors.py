"""The error tree: what programs branch on, with the exit codes of the command line."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_backend import DIM, ToyBackend

from idia_index import errors
from idia_index.pipelines.build import build_index, check_room
from idia_index.prompts.templates import JAIR2024
from idia_index.search.open import open_index
from idia_index.subjects.subjects import make_subject
from idia_index.support.files import unwritable

TREE = {
    errors.IdiaIndexError: 1,
    errors.InputError: 2,
    errors.ModelError: 2,
    errors.DamagedIndexError: 2,
    errors.NoSpaceError: 2,
    errors.RefusedError: 2,
    errors.MissingExtraError: 2,
}


@pytest.mark.parametrize("kind", TREE)
def test_every_class_is_one_tree_with_its_exit_code(kind: type[errors.IdiaIndexError]) -> None:
    assert issubclass(kind, errors.IdiaIndexError)
    assert kind.exit_code == TREE[kind]


def test_a_missing_extra_pickles_and_names_packages_that_pip_can_find() -> None:
    error = errors.MissingExtraError("the onnx backend", "onnxruntime", "cpu")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
    # A clone, a wheel and a registry take the same line, since it names the packages themselves.
    assert "pip install 'faiss-cpu>=1.11' 'onnxruntime>=1.21.1'" in str(error)


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("import a_package_of_nobody", "which is not installed: pip install"),
        ("raise ImportError('libx.so: failed to map\\nsegment')",
         r"installed but cannot be imported \(libx.so: failed to map segment\): free some memory"),
        ("import what_it_needs", r"cannot be imported \(No module named 'what_it_needs'\)"),
    ],
)  # fmt: skip
def test_a_package_that_does_not_import_is_not_called_missing(source: str, state: str) -> None:
    with pytest.raises(errors.MissingExtraError, match=state) as raised:
        try:
            exec(source)
        except ImportError as error:
            raise errors.MissingExtraError("it", "a_package_of_nobody", "cpu") from error
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)  # noqa: S301


def test_a_changed_shard_is_damage_and_another_model_is_the_model(tmp_path: Path) -> None:
    index = build_index(tmp_path / "i", ToyBackend(model="toy"), ["Jane Doe", "Adam Low"], JAIR2024)
    index.close()
    with pytest.raises(errors.ModelError, match="another model"):
        open_index(tmp_path / "i").check_backend(ToyBackend(model="toy2"))
    shard = tmp_path / "i" / "000000.faiss"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(errors.DamagedIndexError, match="was changed"):
        open_index(tmp_path / "i", verify=True).search(np.eye(1, DIM, dtype=np.float32))


def test_folders_of_several_people_are_refused_for_safety(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            colour = (len(name) * 50 + ord(name), 9, number)
            Image.new("RGB", (8, 8), colour).save(tmp_path / name / f"{number}.png")
    with pytest.raises(errors.RefusedError, match="several people"):
        make_subject("Jane Doe", [tmp_path])


def test_no_space_is_told_from_no_rights(tmp_path: Path) -> None:
    with pytest.raises(errors.NoSpaceError, match="free"):
        check_room(tmp_path, ToyBackend(model="toy"), 10**15, 21, "flat")
    full = unwritable(tmp_path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert type(full) is errors.NoSpaceError and "free space" in str(full)
    barred = unwritable(tmp_path, OSError(errno.EACCES, os.strerror(errno.EACCES)))
    assert type(barred) is errors.InputError and "free space" not in str(barred)
