"""Names that are the same only to the model: one candidate, whatever the index's spelling."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from table_backend import TableBackend, clustered, unit
from toy_backend import ToyBackend
from toy_world import votes_of

import idia_index.pipelines.build
import idia_index.subjects.candidates
from idia_index import build_index, open_index
from idia_index.cli.main import cli
from idia_index.decide.results import AuditVotes
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.change import add_templates, remove_names
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.pipelines.parity import compare
from idia_index.pipelines.recorded_results import read_results
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.names import make_names, name_key
from idia_index.prompts.templates import JAIR2024, Template, make_templates
from idia_index.registry import load_backend
from idia_index.report.data import audit_result
from idia_index.study import ONNX_DIR, candidates, subjects, write_subjects
from idia_index.subjects.candidates import with_candidates
from idia_index.subjects.identity import alike_pairs
from idia_index.subjects.subjects import Subject, read_subjects

PAIRS = [
    ("Conan O\u2019Brien", "Conan O'Brien"),
    ("Tom &amp; Co", "Tom & Co"),
    ("\uff2aane Doe", "Jane Doe"),
    ("\ufb01nn Fisher", "Finn Fisher"),
    ("Jose\u0301 Ruiz", "jos\u00e9 ruiz"),
    ("Jane\u2010Ann Doe", "Jane-Ann Doe"),
    ("Jos\u00e9 Ruiz", "Jose Ruiz"),
    ("OBrien", "O'Brien"),
]


@pytest.fixture(scope="module")
def clip() -> Backend:
    return load_backend("onnx", model=str(ONNX_DIR))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """People whom the study's model knows."""
    folder = tmp_path_factory.mktemp("people")
    write_subjects(folder, 5, chosen=[s for s in subjects() if s.role == "member"][-6:])
    return read_subjects(folder / "subjects.csv")


def wide(name: str) -> str:
    """The name with a full-width first letter."""
    return chr(ord(name[0]) + 0xFEE0) + name[1:]


def others(people: list[Subject]) -> list[str]:
    mine = {person.name for person in people}
    return [name for name in candidates()[:150] if name not in mine]


def plain_votes(clip: Backend, names: list[str], people: list[Subject]) -> list[int]:
    """Correct prompts of each person among the names: the rule in plain lines."""
    tables = [Backend(clip).encode_texts([t.fill(name) for name in names]) for t in JAIR2024]
    correct = []
    for person in people:
        rows, count = Backend(clip).encode_images(list(person.images)), 0
        for table in tables:
            votes = Counter((rows @ table.T).argmax(axis=1).tolist()).most_common()
            alone = len(votes) == 1 or votes[0][1] > votes[1][1]
            count += alone and names[votes[0][0]] == person.name
        correct.append(count)
    return correct


def found(result: AuditVotes) -> list[int]:
    return [r.decision.correct_prompts for r in result.subjects]


def test_names_are_alike_where_open_clips_tokens_are(clip: Backend) -> None:
    open_clip = pytest.importorskip("open_clip")

    def tokens(template: Template, pair: tuple[str, str]) -> np.ndarray:
        return open_clip.tokenize([template.fill(name) for name in pair]).numpy()

    alike = [
        pair
        for pair in PAIRS
        if all((a == b).all() for a, b in (tokens(t, pair) for t in JAIR2024))
    ]
    assert 4 <= len(alike) < len(PAIRS)
    assert alike_pairs(clip, JAIR2024, PAIRS) == alike


@pytest.mark.slow
@pytest.mark.parametrize("index_type", ["flat", "float16", "numpy"])
def test_the_verdict_is_that_of_the_index_with_the_subjects_spelling(
    tmp_path: Path, clip: Backend, people: list[Subject], index_type: str
) -> None:
    names = [person.name for person in people]
    same = build_index(
        tmp_path / "same", clip, make_names([*names, *others(people)]), index_type=index_type
    )
    odd = [*map(wide, names), *others(people)]
    other = build_index(tmp_path / "other", clip, make_names(odd), index_type=index_type)
    expected, result = votes_of(same, clip, people), votes_of(other, clip, people)
    for one, two in zip(expected.subjects, result.subjects, strict=True):
        assert two.name_id == one.name_id and two.in_index and (one.spellings, two.spellings) == (
            (), (wide(one.subject.name),)
        )  # fmt: skip
        assert (one.winners == two.winners).all()
    assert found(result) == plain_votes(clip, [*names, *others(people)], people)
    assert max(found(result)) > 1 and len(result.index) == len(other)


@pytest.mark.slow
@pytest.mark.parametrize("index_type", ["flat", "float16"])
def test_two_spellings_in_the_index_do_not_share_the_votes(
    tmp_path: Path, clip: Backend, people: list[Subject], index_type: str
) -> None:
    names = [person.name for person in people]
    # The first two not as they are written, but twice otherwise.
    there = [*map(wide, names), *others(people), *names[2:], names[0][0] + wide(names[0][1:])]
    index = build_index(tmp_path / "i", clip, make_names(there), index_type=index_type)
    result = votes_of(index, clip, people)
    assert found(result) == plain_votes(clip, [*names, *others(people)], people)
    assert len(result.index) == len(others(people)) + len(names) and len(index) == len(there)
    assert [len(r.spellings) for r in result.subjects] == [2, 1, 1, 1, 1, 1]
    for r in result.subjects:
        kept = result.index.name(r.name_id)
        assert name_key(kept) == name_key(r.subject.name) or kept == wide(r.subject.name)
    data = audit_result(result).to_dict()
    assert data["subjects"][0]["spellings"] == list(result.subjects[0].spellings)
    (note,) = [note for note in data["notes"] if "other spellings" in note]
    assert note.startswith("6 of the subjects' names") and repr(wide(names[0])) in note


@pytest.mark.slow
def test_spellings_are_recorded_with_the_results(
    tmp_path: Path, clip: Backend, people: list[Subject]
) -> None:
    there = [*map(wide, [person.name for person in people]), *others(people)]
    index = build_index(tmp_path / "i", clip, make_names(there))
    evidence = gather(index, clip, people, Measurement())
    assert found(evidence.audit) == found(votes_of(index, clip, people))
    write_evaluation(evidence, settings_for_all(evidence), tmp_path / "out")
    again = read_results(tmp_path / "out")
    assert audit_result(again.audit) == audit_result(evidence.audit)
    assert [r.spellings for r in again.audit.subjects] == [(wide(p.name),) for p in people]


def test_subjects_that_are_one_name_to_the_model_are_refused(
    tmp_path: Path, clip: Backend, people: list[Subject]
) -> None:
    index = build_index(tmp_path / "i", clip, make_names(others(people)))
    twice = [people[0], Subject(wide(people[0].name), people[1].images)]
    result = votes_of(index, clip, twice)
    assert [r.subject.name for r in result.subjects] == [people[0].name]
    (skipped,) = result.skipped
    assert skipped.name == twice[1].name and "are the same name to the model" in skipped.reason
    with pytest.raises(InputError, match="are the same name to the model; merge them"):
        votes_of(index, clip, twice, strict=True)


def test_without_tokens_rows_tell(tmp_path: Path, toy: ToyBackend) -> None:
    """To the toy model the order of words is nothing."""
    names = make_names([f"First{i % 7} Last{i}" for i in range(40)])
    index = build_index(tmp_path / "i", toy, names)
    made = with_candidates(index, toy, ["Last10 First3", "Last10 First4"])
    assert made.name_ids == [10, 40] and made.stored == [True, False]
    assert made.spellings == [("First3 Last10",), ()] and made.index.name(40) == "Last10 First4"


def test_any_number_of_spellings_is_found_up_to_a_bound(
    tmp_path: Path, clip: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    spelled = ["Jane D" + "o" * n + "\uff4f" * (9 - n) + "e" for n in range(9)]
    index = build_index(tmp_path / "i", clip, make_names([*candidates()[:60], *spelled]))
    made = with_candidates(index, clip, ["Jane D" + 9 * "o" + "e", candidates()[61]])
    assert made.spellings == [tuple(spelled), ()] and made.name_ids == [60, 61]
    assert len(made.index) == 62 and made.index.name(61) == candidates()[61]
    monkeypatch.setattr(idia_index.subjects.candidates, "MOST", 8)
    with pytest.raises(InputError, match="more than 8 candidates are spellings of 'Jane Doooo"):
        with_candidates(index, clip, ["Jane D" + 9 * "o" + "e"])


@pytest.mark.parametrize("index_type", ["flat", "numpy", "float16"])
def test_one_templates_nearest_rows_and_a_view_without_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index_type: str
) -> None:
    backend = TableBackend(clustered(np.random.default_rng(3), 3, 90, 24))
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 2 * 24 * 4 * 40)
    names = make_names(backend.names)
    build_index(
        tmp_path / "i", backend, names, backend.templates[:2], index_type=index_type
    ).close()
    add_templates(tmp_path / "i", backend, backend.templates[2:])
    remove_names(tmp_path / "i", make_names(["n7", "n81"]))
    index = open_index(tmp_path / "i").without([0, 50])
    left = [i for i in range(90) if i not in (0, 7, 51, 81)]  # n7 was gone when 50 was counted
    assert list(index.names) == [f"n{i}" for i in left] and index.find(["n51", "n52"]) == {
        "n52": 49
    }
    for template in range(3):
        rows = backend.rows[template]
        near, ids = index.nearest(template, rows[5:20], 4)
        stored = index.text_embeddings(template, np.arange(86)).astype(np.float64)
        exact = rows[5:20] @ stored.T
        assert (ids == np.argsort(-exact, axis=1, kind="stable")[:, :4]).all()
        assert np.abs(near - -np.sort(-exact, axis=1)[:, :4]).max() < 1e-6
        assert np.abs(stored - rows[left]).max() <= index.stored_error(template) + 1e-6
    names = make_names([f"n{i}" for i in left])
    plain = build_index(
        tmp_path / "plain", backend, names, backend.templates, index_type=index_type
    )
    images = unit(np.random.default_rng(4), 200, 24)
    found = index.deciding_with(backend).search(images, 1)[1]
    assert (found == plain.deciding_with(backend).search(images, 1)[1]).all()


@pytest.mark.slow
def test_a_query_says_who_competes_and_who_is_the_same(
    tmp_path: Path, clip: Backend, people: list[Subject]
) -> None:
    first = people[0]
    dashed = first.name.replace(" ", "-")
    build_index(tmp_path / "i", clip, make_names([wide(first.name), dashed, *others(people)]))
    arguments = ["query", str(tmp_path / "i"), *map(str, first.images), "--name", first.name]
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    (subject,) = told["subjects"]
    assert subject["rival_spellings"] == [dashed]
    assert sum(f"{first.name!r} ({dashed!r})" in note for note in told["notes"]) == 1
    assert subject["candidate"] == wide(first.name) and subject["in_index"]
    shown = CliRunner().invoke(cli, arguments).stdout
    assert "have other spellings among the candidates" in shown and wide(first.name) in shown


def test_parity_takes_spellings_for_one_candidate(clip: Backend, people: list[Subject]) -> None:
    names = [person.name for person in people]
    there = [*map(wide, names), *others(people), *names[:2]]
    templates = make_templates(["{0}", "a photo of {0}"])
    seen: list[list[str]] = []

    def told(what: str, done: int, total: int) -> None:
        seen.append([what, str(total)])

    report = compare(clip, clip, there, templates, people, progress=told)
    assert report.decisions.differ == 0
    assert ["names", str(len(names) + len(others(people)))] in seen
