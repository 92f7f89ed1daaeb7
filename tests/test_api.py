"""The public API: its names, the contract of its functions, and what is private."""

from __future__ import annotations

import ast
import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from toy_backend import DIM, ToyBackend, word_vector

import idia_index
from idia_index import (
    Backend,
    Decision,
    InputError,
    Subject,
    audit,
    build_index,
    decide,
    evaluate,
    load_backend,
    load_backend_for,
    majority_vote,
    make_subject,
    open_index,
    query,
    read_names,
    read_subjects,
    sample_names,
)
from idia_index.evaluation.settings import Settings
from idia_index.study import ONNX_DIR
from idia_index.study.subjects import subjects, write_subjects

TEMPLATES = ["{0}", "a photo of {0}", "{name} smiling"]
NAMES = ["Jane Doe", "Adam Low", "Eva Noor", "Ida Berg"]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    index = build_index(tmp_path / "i", Backend(ToyBackend(model="toy")), NAMES, TEMPLATES)
    index.close()
    return tmp_path / "i"


def oracle_rows(template: str) -> np.ndarray:
    """Unit rows [N, D] of the toy model, by NumPy alone."""
    filled = [template.replace("{0}", n).replace("{name}", n) for n in NAMES]
    rows = np.stack([np.sum([word_vector(w) for w in text.split()], axis=0) for text in filled])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_every_public_name_is_there_and_documented() -> None:
    for name in idia_index.__all__:
        thing = getattr(idia_index, name)
        assert name == "__version__" or (thing.__doc__ or "").strip(), name
    assert set(idia_index.__all__) <= set(dir(idia_index))
    assert len(idia_index.__all__) <= 36  # some twenty, and the errors
    with pytest.raises(AttributeError, match="no attribute 'Aduit'"):
        idia_index.Aduit  # noqa: B018


def test_what_type_checkers_see_is_what_is_imported() -> None:
    tree = ast.parse(Path(idia_index.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: getattr(import_module(str(node.module)), alias.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: getattr(idia_index, name) for name in seen}
    assert {*seen, "__version__", "decide"} == set(idia_index.__all__)


@pytest.mark.parametrize(
    "first",
    [
        "import idia_index.decide as decide",
        "import idia_index.decide.votes; from idia_index import decide",
        "import idia_index; import idia_index.decide.votes; decide = idia_index.decide",
    ],
)
def test_decide_is_the_function_whatever_was_imported_before(first: str) -> None:
    """A folder of the package has that name, too."""
    code = f"{first}; print(decide([3, 3], name_id=3, tau=2).inferred_member)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout == "True\n"


def test_the_docs_say_each_public_name_and_the_rule_of_the_rest() -> None:
    page = (Path(__file__).parents[1] / "docs" / "python-api.md").read_text(encoding="utf-8")
    missing = [
        n for n in idia_index.__all__ if n != "__version__" and f"idia_index.{n}" not in page
    ]
    assert not missing
    assert "private" in page


def test_embeddings_are_unit_rows_in_the_order_asked() -> None:
    backend = Backend(ToyBackend(model="toy"))
    texts = ["a photo of Jane Doe", "Adam Low", "a photo of Jane Doe"]
    rows = backend.encode_texts(texts)
    expected = [np.sum([word_vector(w) for w in text.split()], axis=0) for text in texts]
    np.testing.assert_allclose(rows, [row / np.linalg.norm(row) for row in expected], atol=1e-6)
    assert rows.dtype == np.float32


def test_an_index_searches_as_numpy_does(built: Path) -> None:
    index = open_index(built)
    queries = np.random.default_rng(0).standard_normal((5, DIM)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    similarities, ids = index.search(queries, k=2)
    assert similarities.shape == ids.shape == (3, 5, 2)
    for t, template in enumerate(TEMPLATES):
        scores = queries @ oracle_rows(template).T
        np.testing.assert_array_equal(ids[t], np.argsort(-scores, axis=1)[:, :2])
        np.testing.assert_allclose(similarities[t], -np.sort(-scores, axis=1)[:, :2], atol=1e-6)
    rows = index.text_embeddings(template=1, name_ids=[0, 3])
    np.testing.assert_allclose(rows, oracle_rows(TEMPLATES[1])[[0, 3]], atol=1e-6)


def test_votes_are_those_of_a_counter() -> None:
    table = np.random.default_rng(1).integers(0, 3, (50, 4))
    for row, winner in zip(table, majority_vote(table).tolist(), strict=True):
        counts = Counter(row.tolist()).most_common(2)
        tie = len(counts) > 1 and counts[0][1] == counts[1][1]
        assert winner == (-1 if tie else counts[0][0])


def test_a_decision_is_plain_data() -> None:
    found = decide([3, -1, 3, 0], name_id=3, tau=2)
    assert (found.correct_prompts, found.inferred_member) == (2, True)
    assert not decide([3, -1], name_id=3, tau=2).inferred_member
    assert found == Decision(2, 2) == pickle.loads(pickle.dumps(found))  # noqa: S301


@pytest.mark.usefixtures("toy_plugin")
def test_an_audit_is_the_document_of_the_command(built: Path, tmp_path: Path) -> None:
    make_images(tmp_path / "people" / "Jane_Doe", 3)
    make_images(tmp_path / "people" / "New_Name", 2, seed=1)
    index = open_index(built)
    backend = load_backend_for(index)
    assert (backend.name, backend.model) == ("toy", "toy")
    data = audit(index, backend, read_subjects(tmp_path / "people")).to_dict()
    assert (data["format"], data["tau"], data["candidates"]) == ("idia-index/audit/1", 1, 5)
    (jane, _) = data["subjects"]
    images = backend.encode_images(sorted((tmp_path / "people" / "Jane_Doe").iterdir()))
    new = np.sum([word_vector(w) for w in ("New", "Name")], axis=0)
    scores = images @ np.vstack([oracle_rows("{0}"), new / np.linalg.norm(new)]).T
    (winner,) = majority_vote(scores.argmax(axis=1)[None])
    candidates = [*NAMES, "New Name"]
    assert jane["votes"][0]["winner"] == (None if winner == -1 else candidates[winner])


@pytest.mark.usefixtures("toy_plugin")
def test_relative_paths_mean_the_same_from_another_folder(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_images(tmp_path / "people" / "Jane_Doe", 3)
    near = audit(open_index(built), load_backend("toy", model="toy"), read_subjects(folder.parent))
    monkeypatch.chdir(tmp_path)
    index = open_index(os.path.relpath(built))
    people = [read_subjects("people"), [make_subject("Jane Doe", "people/Jane_Doe")]]
    monkeypatch.chdir("/")
    for tested in people:
        assert audit(index, load_backend_for(index), tested) == near


def test_results_pickle_compare_and_are_short_to_read(built: Path, tmp_path: Path) -> None:
    for number in range(12):
        make_images(tmp_path / "people" / f"Person_{number}", 2, seed=number)
    toy = Backend(ToyBackend(model="toy"))
    people = read_subjects(tmp_path / "people")
    result = audit(open_index(built), toy, people)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301
    assert result == audit(open_index(built), toy, people)
    assert len(repr(result).splitlines()) <= 12 and len(repr(result)) < 2000
    assert repr(open_index(built)).startswith(f"<Index {str(built)!r}: {len(NAMES)} candidates, 3 ")
    assert repr(people) == "<SubjectList: 12 subjects, 0 skipped>"
    assert repr(people[0]) == "<Subject 'Person 0': 2 images>"
    alone = query(open_index(built), toy, people[0])
    assert alone.subjects[0].votes == result.subjects[0].votes
    measured = evaluate(open_index(built), toy, people, Settings(min_images=2, sizes=(1, 2)))
    assert [s.votes for s in measured.subjects] == [s.votes for s in result.subjects]


@pytest.mark.usefixtures("toy_plugin")
def test_a_backend_is_loaded_by_name() -> None:
    backend = load_backend("toy", model="toy", dtype="float32")
    assert isinstance(backend, Backend)
    assert backend.load_options == {"dtype": "float32"}
    assert repr(backend) == "<Backend toy: toy on nowhere>"


def test_one_text_is_no_list(built: Path, tmp_path: Path) -> None:
    index = open_index(built)
    toy = Backend(ToyBackend(model="toy"))
    with pytest.raises(InputError, match="is a single string; pass a list of names"):
        build_index(tmp_path / "i", toy, "Jane Doe")
    with pytest.raises(InputError, match="is a single string; pass a list of them"):
        build_index(tmp_path / "i", toy, NAMES, "a photo of {0}")
    with pytest.raises(InputError, match="find takes a list of names"):
        index.find("Jane Doe")
    for asked in (audit, evaluate):
        with pytest.raises(InputError, match=r"pass those of read_subjects\(PATH\)"):
            asked(index, toy, str(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="or make_subject"):
        query(index, toy, "Jane Doe")  # type: ignore[arg-type]
    folder = make_images(tmp_path / "photos", 2)
    assert make_subject("Jane Doe", str(folder)) == make_subject("Jane Doe", [folder])
    assert len(make_subject("Jane Doe", folder).images) == 2


def test_names_and_subjects_are_read_and_drawn(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Jane Doe\n\nAdam Low\njane doe\n")
    assert list(read_names(tmp_path / "names.txt")) == ["Jane Doe", "Adam Low"]
    drawn = sample_names(5, 0)
    assert len(set(drawn.names())) == 5 and drawn.names() == sample_names(9, 0).names()[:5]
    make_images(tmp_path / "p" / "Jane_Doe", 1)
    (subject,) = read_subjects(tmp_path / "p")
    assert isinstance(subject, Subject) and subject.name == "Jane Doe"


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("faiss")
    page = (Path(__file__).parents[1] / "docs" / "python-api.md").read_text(encoding="utf-8")
    people = [person for person in subjects() if person.role == "member"][:2]
    write_subjects(tmp_path / "subjects", 3, processes=1, chosen=people)
    (tmp_path / "subjects" / people[0].name.replace(" ", "_")).rename(
        tmp_path / "subjects" / "Jane_Doe"
    )
    (tmp_path / "subjects" / "subjects.csv").unlink()
    (tmp_path / "names.txt").write_text(f"Jane Doe\n{people[1].name}\n")
    (tmp_path / "exported").symlink_to(ONNX_DIR)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(block, space)
    assert len(blocks) == 5
    assert len(space["result"].subjects) == 2  # type: ignore[attr-defined]
    assert "repair" not in str(space.get("error", ""))
