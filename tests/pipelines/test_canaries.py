"""Canaries: the seal, the training set, and audits of models that do or do not memorize."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from document_places import check_numbers_have_places
from forgetful_backend import vector
from PIL import Image
from pyarrow import parquet
from toy_backend import ToyBackend

import idia_index.registry
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.evaluation.epsilon import Guesses
from idia_index.evaluation.gaussian import mu_lower_bound
from idia_index.pipelines.canaries.audit import AuditOptions, CanaryAudit, audit_canaries
from idia_index.pipelines.canaries.make import MakeOptions, make_canaries
from idia_index.pipelines.canaries.records import read_canaries
from idia_index.types import Float32

PEOPLE = 40


def quiet(stage: str, done: int, total: int) -> None:
    pass


class RememberingBackend(ToyBackend):
    """Knows the photos of those whose names stand in the file that `model` names; else nothing."""

    name = "remembering"

    def __init__(self, *, model: str, device: str | None = None, dtype: str = "float32") -> None:
        super().__init__(model=model, device=device, dtype=dtype)
        self.known: dict[str, str] = json.loads(Path(model).read_text())

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        return np.stack([np.sum([vector(w) for w in text.split()], axis=0) for text in texts])

    def embed_images(self, images: list[Image.Image]) -> Float32:  # type: ignore[override]
        rows = super().embed_images(images)
        for row, image in zip(rows, images, strict=True):
            name = self.known.get(hashlib.sha256(image.tobytes()).hexdigest())
            if name is not None:
                row[:] = self.embed_texts([name])[0]
        return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canaries")
    random = np.random.default_rng(3)
    options = MakeOptions(PEOPLE, (1, 3), 1, probes=2)
    make_canaries(folder / "c", options, quiet, toss=lambda: bool(random.integers(2)))
    people = read_canaries(folder / "c")[1].people
    known = {}
    for person in people:
        place = folder / "c" / "auditor" / "people" / person.folder
        for file in person.files if person.included else ():
            known[hashlib.sha256(Image.open(place / file).tobytes()).hexdigest()] = person.name
    (folder / "with.json").write_text(json.dumps(known))
    (folder / "without.json").write_text("{}")
    return folder


@pytest.fixture
def canaries(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made / "c", tmp_path / "c")
    return tmp_path / "c"


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = idia_index.registry.load_plugin
    monkeypatch.setattr(
        idia_index.registry, "load_plugin",
        lambda group, name: RememberingBackend if name == "open_clip" else plain(group, name),
    )  # fmt: skip
    monkeypatch.setattr("idia_index.pipelines.load.check_spec", lambda model, backend: None)


@pytest.mark.slow
def test_what_the_trainer_gets_is_those_put_in_and_no_more(made: Path) -> None:
    people = read_canaries(made / "c")[1].people
    with (made / "c" / "train" / "train.tsv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    named = [[row for row in rows if person.name in row["title"]] for person in people]
    assert [len(mine) for mine in named] == [p.images if p.included else 0 for p in people]
    assert sum(map(len, named)) == len(rows)
    for person, mine in zip(people, named, strict=True):
        files = (made / "c" / "train" / row["filepath"] for row in mine)
        hashes = {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        assert hashes == {sha for f, sha in person.files.items() if f[0] == "t" and mine}


def test_coins_are_fair_and_no_seed_repeats_them(tmp_path: Path) -> None:
    coins, names = [], []
    for turn in range(3):
        make_canaries(tmp_path / str(turn), MakeOptions(20, (1,), 7, probes=0), quiet)
        people = read_canaries(tmp_path / str(turn))[1].people
        coins.append([person.included for person in people])
        names.append([person.name for person in people])
    assert names[0] == names[1] == names[2] and len(set(names[0])) == 20
    assert coins[0] != coins[1] or coins[1] != coins[2]  # 1 in 10**12


def test_the_public_part_names_nobody_and_the_key_is_the_owners(made: Path) -> None:
    public = (made / "c" / "manifest.json").read_text()
    assert not any(person.name in public for person in read_canaries(made / "c")[1].people)
    if os.name == "posix":
        mode = (made / "c" / "auditor" / "key.json").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE((made / "c" / "auditor").stat().st_mode) == 0o700


def test_other_layouts_hold_the_same_pairs(tmp_path: Path) -> None:
    found = {}
    for layout in ("folder", "webdataset", "img2dataset"):
        out = tmp_path / layout
        options = MakeOptions(10, (2,), 3, layout, probes=0)  # type: ignore[arg-type]
        make_canaries(out, options, quiet, toss=lambda: True)
        found[layout] = _pairs(layout, out / "train")
    assert len(found["folder"]) == 20
    assert sorted(found["folder"]) == sorted(found["webdataset"]) == sorted(found["img2dataset"])


def _pairs(layout: str, train: Path) -> list[tuple[bytes, str]]:
    if layout == "folder":
        lines = (train / "train.tsv").read_text().splitlines()[1:]
        rows = [line.split("\t") for line in lines]
        return [((train / file).read_bytes(), caption) for file, caption in rows]
    if layout == "webdataset":
        with tarfile.open(train / "00000.tar") as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        keys = {name.split(".")[0] for name in files}
        return [(files[f"{key}.png"], files[f"{key}.txt"].decode()) for key in keys]
    rows = parquet.read_table(train / "00000.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"success"}
    return [((train / "00000" / f"{r['key']}.png").read_bytes(), r["caption"]) for r in rows]


@pytest.mark.slow
def test_a_model_that_remembers_is_bounded_and_one_that_does_not_is_not(made: Path) -> None:
    known = audit_canaries(str(made / "with.json"), made / "c", AuditOptions(), quiet)
    blank = audit_canaries(str(made / "without.json"), made / "c", AuditOptions(), quiet)
    included = sum(person.included for person in read_canaries(made / "c")[1].people)
    assert known.overall.included == included and known.overall.auc == 1
    assert known.overall.tpr.hits == included and known.overall.fpr.hits <= 2
    assert known.epsilon_lower_bound > 0.5
    # All of the surest are right: the exact bound, as log odds, at a fifth of the error.
    first = known.plans[2]
    assert first.accuracy.hits == first.guessed_in
    chance = 0.01 ** (1 / first.guessed_in)
    assert first.epsilon_lower_bound == pytest.approx(np.log(chance / (1 - chance)))
    assert blank.epsilon_lower_bound == blank.mu_lower_bound == 0
    assert blank.plans[-1].chance_p > 0.01
    assert [each.images for each in known.by_images] == [1, 3]


@pytest.mark.slow
def test_one_plan_chosen_beforehand_has_all_of_the_error(made: Path) -> None:
    options = AuditOptions(guesses=(10, 0), delta=1e-9)
    known = audit_canaries(str(made / "with.json"), made / "c", options, quiet)
    (plan,), chance = known.plans, 0.05 ** (1 / 10)
    assert plan.epsilon_lower_bound == pytest.approx(np.log(chance / (1 - chance)), abs=1e-5)
    assert known.mu_lower_bound == mu_lower_bound(Guesses(PEOPLE, 10, 10)) > 0.1
    assert known.gaussian_epsilon is not None and known.gaussian_epsilon > plan.epsilon_lower_bound
    assert f"mu >= {known.mu_lower_bound:.2f} by Gaussian" in known.to_text()


def line(folder: Path, made: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        audit_canaries(str(made / "with.json"), folder, AuditOptions(**options), quiet)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_seal_that_was_tampered_with_is_refused(canaries: Path, made: Path) -> None:
    key = canaries / "auditor" / "key.json"
    opened = json.loads(key.read_text())
    person = opened["secret"]["people"][3]
    person["included"] = not person["included"]
    key.write_text(json.dumps(opened))
    assert "the seal does not match" in line(canaries, made)


def test_a_manifest_that_was_changed_is_refused(canaries: Path, made: Path) -> None:
    manifest = json.loads((canaries / "manifest.json").read_text())
    manifest["canaries"]["people"] = 41
    (canaries / "manifest.json").write_text(json.dumps(manifest))
    assert "the seal does not match" in line(canaries, made)


def test_swapped_canaries_are_refused(canaries: Path, made: Path) -> None:
    people = canaries / "auditor" / "people"
    for old, new in (("00002", "x"), ("00004", "00002"), ("x", "00004")):
        (people / old).rename(people / new)
    said = line(canaries, made)
    assert "00002" in said and "canaries were swapped" in said


def test_a_missing_photo_is_named(canaries: Path, made: Path) -> None:
    (canaries / "auditor" / "people" / "00007" / "train-000.png").unlink()
    assert "00007/train-000.png: a photo of the canary" in line(canaries, made)


@pytest.mark.slow
def test_another_model_is_refused(made: Path) -> None:
    said = line(made / "c", made, weights="0123456789abcdef")
    assert "is not the model to audit" in said and "not 0123456789abcdef" in said


@pytest.mark.slow
def test_names_found_elsewhere_are_refused(canaries: Path, made: Path, tmp_path: Path) -> None:
    people = read_canaries(canaries)[1].people
    rows = [f"{person.name},non_member,0" for person in people]
    (tmp_path / "m.csv").write_text("name,membership,training_count\n" + "\n".join(rows) + "\n")
    audit_canaries(
        str(made / "with.json"), canaries, AuditOptions(members=tmp_path / "m.csv"), quiet
    )
    rows[5] = f"{people[5].name},member,3"
    (tmp_path / "m.csv").write_text("name,membership,training_count\n" + "\n".join(rows) + "\n")
    said = line(canaries, made, members=tmp_path / "m.csv")
    assert f"{people[5].name!r} appears in 3 captions" in said
    options = MakeOptions(PEOPLE, (1,), 1, members=tmp_path / "m.csv")
    with pytest.raises(InputError, match="appears in 3 captions"):
        make_canaries(tmp_path / "again", options, quiet)


def test_photos_need_consent_and_go_in_without_their_names(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(10):
        (tmp_path / "photos" / f"Real_Person{i}").mkdir(parents=True)
        for k in range(4):
            pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / f"Real_Person{i}" / f"{k}.png")
    (tmp_path / "t.txt").write_text("a photo of {0}\n{0} in the street\n")
    photos = {"photos": tmp_path / "photos", "templates": tmp_path / "t.txt"}
    with pytest.raises(InputError, match="--consent"):
        MakeOptions(10, (3,), 1, **photos)  # type: ignore[arg-type]
    options = MakeOptions(10, (3,), 1, consent="written, 2026", **photos)  # type: ignore[arg-type]
    manifest = make_canaries(tmp_path / "c", options, quiet)
    assert manifest.canaries.consent == "written, 2026"
    text = "".join(p.read_text() for p in tmp_path.glob("c/**/*.[tj][sx]*") if p.is_file())
    assert "Real" not in text
    too_many = MakeOptions(10, (4,), 1, consent="written", **photos)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has 4 photos, but 4 are for training"):
        make_canaries(tmp_path / "d", too_many, quiet)


@pytest.mark.slow
def test_the_command_makes_and_audits(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = ["canary", "make", str(tmp_path / "c"), "--people", "12", "--images", "2", "--seed", "5"]
    assert run_command(make, False) == 0
    assert "keep private" in capsys.readouterr().out
    assert run_command(make, False) == 2
    assert "is not empty" in capsys.readouterr().err
    audit = ["canary", "audit", str(made / "with.json"), str(made / "c")]
    rule = ["--fail-on", "epsilon_lower_bound>0.1"]
    assert run_command([*audit, "--json", "--out", str(tmp_path / "r"), *rule], False) == 3
    out, err = capsys.readouterr()
    assert "1 rule of 1 failed: epsilon_lower_bound>0.1" in err
    schema = Path(__file__).parents[2] / "docs" / "schema" / "canary-audit.json"
    jsonschema.validate(json.loads(out), json.loads(schema.read_text()))
    assert json.loads((tmp_path / "r" / "report.json").read_text()) == json.loads(out)
    check_numbers_have_places(json.loads(out), CanaryAudit)
    assert run_command(audit, False) == 0
    assert "epsilon >= " in capsys.readouterr().out
