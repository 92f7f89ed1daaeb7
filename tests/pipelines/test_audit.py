"""The audit against a plain implementation of its rule, and with files that are not images."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from PIL import Image
from toy_backend import ToyBackend, word_vector
from toy_world import votes_of

from idia_index import audit, build_index
from idia_index.errors import InputError
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.pipelines.query import query
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024
from idia_index.report.documents import AuditResult
from idia_index.report.page import report_html
from idia_index.report.tables import subjects_csv
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject, make_subject, read_subjects
from idia_index.subjects.usable import shared_photos


@pytest.fixture
def index(tmp_path: Path, toy: ToyBackend, names: NameList) -> Index:
    return build_index(tmp_path / "i", toy, names)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for seed, name in enumerate(["First3_Last10", "First0_Last7", "Some_Body"]):
        make_images(tmp_path / "people" / name, 4 + seed, seed)
    return tmp_path / "people"


def plain_audit(candidates: list[str], folder: Path, name: str) -> tuple[list[str | None], int]:
    """The rule in plain lines: no pack, no index, no shared code but the words' vectors."""
    images = []
    for file in sorted(folder.iterdir()):
        pixels = np.asarray(Image.open(file).convert("L").resize((4, 4)), np.float32).ravel()
        images.append((pixels - 127.3) / np.linalg.norm(pixels - 127.3))
    winners: list[str | None] = []
    for template in JAIR2024:
        rows = []
        for candidate in candidates:
            text = template.text.replace("{0}", candidate)
            vector = np.sum([word_vector(word) for word in text.split()], axis=0)
            rows.append(vector / np.linalg.norm(vector))
        votes = Counter(candidates[i] for i in (np.array(images) @ np.array(rows).T).argmax(1))
        ranked = votes.most_common()
        tie = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
        winners.append(None if tie else ranked[0][0])
    return winners, winners.count(name)


def test_the_audit_gives_what_the_rule_says(
    index: Index, toy: ToyBackend, people: Path, names: NameList
) -> None:
    result = audit(index, toy, read_subjects(people))
    candidates = [*names, "Some Body"]
    assert result.candidates == 41
    for subject in result.subjects:
        folder = people / subject.name.replace(" ", "_")
        winners, correct = plain_audit(candidates, folder, subject.name)
        assert [vote.winner for vote in subject.votes] == winners
        assert [vote.tie for vote in subject.votes] == [w is None for w in winners]
        assert subject.correct_prompts == correct
        assert subject.inferred_member == (correct >= 1)


def test_a_name_outside_the_index_competes_and_is_said_to(
    index: Index, toy: ToyBackend, people: Path
) -> None:
    result = audit(index, toy, read_subjects(people))
    by_name = {subject.name: subject for subject in result.subjects}
    assert not by_name["Some Body"].in_index and by_name["First0 Last7"].in_index
    assert by_name["Some Body"].candidate == "Some Body" and result.candidates == 41
    assert any("Some Body" in note for note in result.notes)
    assert len(index) == 40  # the index itself is as it was


def test_another_spelling_is_the_same_candidate(
    index: Index, toy: ToyBackend, people: Path
) -> None:
    subject = make_subject("first3  LAST10", [people / "First3_Last10"])
    (result,) = audit(index, toy, [subject]).subjects
    assert result.candidate == "First3 Last10" and result.in_index


def test_one_bad_file_costs_only_itself(index: Index, toy: ToyBackend, people: Path) -> None:
    folder = people / "Some_Body"
    before = audit(index, toy, [make_subject("Some Body", [folder])]).subjects[0]
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("mine")
    after = audit(index, toy, [make_subject("Some Body", [folder])]).subjects[0]
    assert after.votes == before.votes and after.image_files == before.image_files
    assert {Path(s.file).name for s in after.skipped} == {
        "text.jpg", "empty.png", "cut.png", "notes.txt"
    }  # fmt: skip
    assert all(s.file in s.reason for s in after.skipped)
    with pytest.raises(InputError, match=r"(cut|empty)\.png"):
        audit(index, toy, [make_subject("Some Body", [folder])], strict=True)


def test_photos_of_several_people_are_told_in_one_line(
    index: Index, toy: ToyBackend, people: Path
) -> None:
    bodies = sorted((people / "Some_Body").iterdir())
    for number, file in enumerate(bodies[:3]):
        (people / "First0_Last7" / f"also{number}.png").write_bytes(file.read_bytes())
    (people / "First3_Last10" / "also.png").write_bytes(bodies[0].read_bytes())
    (people / "Some_Body" / "again.png").write_bytes(bodies[5].read_bytes())  # one's own copy
    result = audit(index, toy, read_subjects(people))
    (told,) = [each for each in result.notes if "same bytes" in each]
    assert told.startswith("3 photos with the same bytes in the folders of several people")
    assert "2 with 'First0 Last7' and 'Some Body'; 1 with 'First0 Last7', 'First3" in told
    assert [s.images for s in result.subjects] == [8, 5, 6]
    assert told in result.backend.cautions and told.split(":")[0] in report_html(result)
    assert not any(
        "same bytes" in each for each in query(index, toy, read_subjects(people)[0]).notes
    )


def test_of_many_people_with_one_photo_a_few_are_named() -> None:
    (told,) = shared_photos((f"P{number:03d}", "a" * 64) for number in range(312))
    assert "1 with 'P000', 'P001', 'P002' and 309 others." in told and "P003" not in told


def test_a_subject_without_a_readable_image_is_named(
    index: Index, toy: ToyBackend, people: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    bad = make_subject("Nobody Seen", [tmp_path / "text.jpg"])
    everybody = [bad, *read_subjects(people)]
    result = audit(index, toy, everybody)
    assert [(each.name, "text.jpg" in each.reason) for each in result.skipped] == [
        ("Nobody Seen", True)
    ]
    alone = audit(index, toy, everybody[1:])
    assert result.subjects == alone.subjects
    assert result.candidates == alone.candidates  # a name that is not tested does not compete
    for subjects, strict in ((everybody, True), ([bad], False)):
        with pytest.raises(InputError, match=r"text\.jpg: not an image"):
            audit(index, toy, subjects, strict=strict)


@pytest.mark.slow
def test_more_images_than_a_batch_keep_their_owners(
    index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    for seed, count in enumerate((31, 2, 40)):
        make_images(tmp_path / "many" / f"Person_{seed}", count, seed)
    together = votes_of(index, toy, read_subjects(tmp_path / "many"))
    # The names of the others compete too, so each is asked alone in the same company.
    for number, result in enumerate(together.subjects):
        alone = votes_of(together.index, toy, [result.subject])
        assert (alone.subjects[0].winners == result.winners).all(), number
        assert len(result.subject.images) == (31, 2, 40)[number]


def truth(tmp_path: Path, people: Path) -> Path:
    table = tmp_path / "people.csv"
    table.write_text(
        "name,path,membership,training_count,note\n"
        "First3 Last10,people/First3_Last10,member,25,x\n"
        "First0 Last7,people/First0_Last7,non_member,,\n"
        "Some Body,people/Some_Body/00.png,,3,\n"
        "Some Body,people/Some_Body/01.png,,3,\n"
    )
    return table


def test_rates_are_of_those_whose_truth_is_known(
    index: Index, toy: ToyBackend, tmp_path: Path, people: Path
) -> None:
    result = audit(index, toy, read_subjects(truth(tmp_path, people)))
    assert [subject.images for subject in result.subjects] == [4, 5, 2]
    metrics = result.metrics
    assert metrics is not None
    member, non_member, _ = (subject.inferred_member for subject in result.subjects)
    assert (metrics.tp, metrics.fn) == (int(member), int(not member))
    assert (metrics.fp, metrics.tn) == (int(non_member), int(not non_member))
    assert metrics.fpr_ci95 == pytest.approx([0, 0.975] if not non_member else [0.025, 1])
    assert [row.training_count for row in metrics.by_training_count] == [25]


def test_no_truth_no_rates(index: Index, toy: ToyBackend, people: Path) -> None:
    result = audit(index, toy, read_subjects(people))
    assert result.metrics is None
    assert any("does not measure how often" in note for note in result.notes)


def test_a_query_tells_the_names_predicted_most_often(
    index: Index, toy: ToyBackend, people: Path
) -> None:
    votes = votes_of(index, toy, read_subjects(people)[:1])
    predictions = votes.subjects[0].predictions
    counts = Counter(votes.index.name(i) for i in predictions.ravel().tolist())
    top = query(index, toy, read_subjects(people)[0], top=3).top
    assert top is not None
    assert [each.votes for each in top] == [n for _, n in counts.most_common(3)]
    assert all(counts[each.name] == each.votes for each in top)
    assert all(each.share == each.votes / predictions.size for each in top)


@pytest.mark.slow
def test_a_query_finds_what_an_audit_finds(index: Index, toy: ToyBackend, people: Path) -> None:
    subjects = read_subjects(people)
    assert query(index, toy, subjects[0]).top is None
    for subject in subjects:
        asked = query(index, toy, subject).subjects[0]
        (found,) = audit(index, toy, [subject]).subjects
        assert asked.votes == found.votes and asked.inferred_member == found.inferred_member
        assert asked.p_value == found.p_value and asked.strength == found.strength


HOSTILE = ["<script>alert(1)</script>", "=1+1", '"Quoted" & Co', "שלום عالم", "🙂 Smile"]


@pytest.fixture
def hostile(index: Index, toy: ToyBackend, tmp_path: Path) -> AuditResult:
    folder = make_images(tmp_path / "some", 3)
    return audit(index, toy, [make_subject(name, [folder]) for name in HOSTILE])


def test_names_are_text_in_the_page_and_in_the_table(hostile: AuditResult) -> None:
    page = report_html(hostile)
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert "http:" not in page and "https:" not in page and "url(" not in page
    rows = list(csv.DictReader(subjects_csv(hostile.subjects).splitlines()))
    assert [row["name"] for row in rows] == [
        "'=1+1" if name == "=1+1" else name for name in HOSTILE
    ]


def write(index: Index, toy: ToyBackend, subjects: list[Subject], folder: Path) -> None:
    settings = Measurement()
    evidence = gather(index, toy, subjects, settings)
    write_evaluation(evidence, settings_for_all(evidence), folder)


def test_the_report_on_disk_is_the_owners(index: Index, toy: ToyBackend, tmp_path: Path) -> None:
    folder = make_images(tmp_path / "some", 3)
    write(index, toy, [make_subject(name, [folder]) for name in HOSTILE], tmp_path / "out")
    data = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [s["name"] for s in data["subjects"]] == HOSTILE
    assert len(data["image_sha256"]) == 3
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "report.json", "subjects.csv", "curves.csv", "index.html", "results.npz", "summary.md",
        "model_card.md", "choices.json",
    }  # fmt: skip
    assert all(p.stat().st_mode & 0o077 == 0 for p in (tmp_path / "out").iterdir())


def test_a_report_has_the_hash_of_the_image_that_was_measured(
    index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    """A photo that is replaced after it was looked at is not the evidence."""
    folder, settings = make_images(tmp_path / "some", 3), Measurement()
    hashes = {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    for cache in ("off", "on", "on"):  # the last finds its embeddings remembered
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("IDIA_INDEX_IMAGE_CACHE", cache)
            evidence = gather(index, toy, [make_subject("A B", [folder])], settings)
        (folder / "00.png").rename(tmp_path / "kept.png")
        (folder / "00.png").write_bytes(b"another")
        data = write_evaluation(evidence, settings_for_all(evidence), tmp_path / "out").to_dict()
        assert data["image_sha256"] == hashes
        (tmp_path / "kept.png").replace(folder / "00.png")


def test_a_path_that_is_no_utf8_stays_valid_json(
    index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    import os

    folder = make_images(tmp_path / "some", 1)
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n.png"))
    (folder / "00.png").rename(odd)
    write(index, toy, [make_subject("A B", [folder])], tmp_path / "out")
    data = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert len(data["subjects"][0]["image_files"]) == 1


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("name\nA B\n", "has no column path"),
        ("a,b\n1,2\n", "no column name and no column path"),
        ("name,path\n", "no people"),
        ("name,path\n,x\n", "line 2: a person needs a name and a path"),
        ("name,path\nA B,gone.png\n", "line 2: .*gone.png: no such image"),
        ("name,path,membership\nA B,x.png,perhaps\n", "membership is 'perhaps'"),
        ("name,path,training_count\nA B,x.png,many\n", "training_count is 'many'"),
        ("name,path,membership\nA B,x.png,member\nA B,x.png,non_member\n", "line 3: .*agree"),
        ("name,path\nA B,empty\n", "has no image"),
        ('name,path\n"A B,x.png\n', "its quotes do not close"),
    ],
)
def test_a_table_that_does_not_fit_says_where(tmp_path: Path, table: str, told: str) -> None:
    make_images(tmp_path, 1)
    (tmp_path / "00.png").rename(tmp_path / "x.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "people.csv").write_text(table)
    with pytest.raises(InputError, match=told):
        read_subjects(tmp_path / "people.csv")


def test_a_folder_of_subjects_that_holds_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder or CSV"):
        read_subjects(tmp_path / "gone")
    (tmp_path / "people").mkdir()
    with pytest.raises(InputError, match="holds no folders"):
        read_subjects(tmp_path / "people")
    (tmp_path / "people" / "A_B").mkdir()
    with pytest.raises(InputError, match=r"'A B' has no image"):
        read_subjects(tmp_path / "people")


def test_links_to_folders_lead_in_no_circle(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "people" / "A_B", 2)
    (folder / "again").symlink_to(folder)
    (subject,) = read_subjects(tmp_path / "people")
    assert len(subject.images) == 2


@pytest.mark.slow
def test_whoever_has_more_images_than_are_drawn_from_is_listed(
    index: Index, toy: ToyBackend, people: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range((1 << 16) + 1)]
    crowd = Subject("Anna Crowd", tuple(paths))
    others = read_subjects(people)
    evidence = gather(index, toy, [*others, crowd], Measurement())
    (out,) = [each for each in evidence.left_out if each.name == "Anna Crowd"]
    assert "has 65537 images" in out.reason
    assert [s.subject.name for s in evidence.audit.subjects] == [s.name for s in others]
    with pytest.raises(InputError, match="has 65537 images"):
        gather(index, toy, [*others, crowd], Measurement(), strict=True)
