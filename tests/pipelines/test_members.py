"""`members` as a whole: resumed after kills, hostile files, outputs, members.csv in audits."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import stat
import tarfile
import time
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from PIL import Image

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

from study_training import SHIPPED_SEED, training_items  # noqa: E402, I001 (finds those below)
import caption_files as files  # noqa: E402
import training_captions  # noqa: E402
from forked import command  # noqa: E402

from idia_index.cli.main import cli  # noqa: E402
from idia_index.errors import IdiaIndexError  # noqa: E402
from idia_index.pipelines.caption_search import WORK  # noqa: E402
from idia_index.study.population import read_people  # noqa: E402
from idia_index.subjects.from_captions import with_members  # noqa: E402
from idia_index.subjects.records import Subject, SubjectList  # noqa: E402
from idia_index.support.locks import is_held  # noqa: E402

KILLS = int(os.environ.get("IDIA_INDEX_KILLS", "3"))


def keeps_to_its_schema(name: str, document: object) -> None:
    folder = Path(__file__).parents[2] / "idia_index" / "report" / "schema"
    schema = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(document)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["members", *map(str, arguments), "--workers", "1"])


def refused(*arguments: object) -> str:
    """The one line with which the command refuses."""
    result = run(*arguments)
    assert isinstance(result.exception, IdiaIndexError), (result.output, result.exception)
    assert result.exception.exit_code == 2
    line = str(result.exception)
    assert "\n" not in line and len(line) < 600
    return line


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(files.NAMES) + "\n", "utf-8")
    return path


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "members.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_the_outputs_are_their_owners_only_and_say_what_they_are(
    names: Path, tmp_path: Path
) -> None:
    files.laion_2b(tmp_path)
    out = tmp_path / "out"
    result = run(tmp_path / "part-0.parquet", "--names", names, "--out", out, "--hits")
    assert result.exit_code == 0, result.exception
    assert "personal data" in result.stderr
    assert {path.name for path in out.iterdir()} == {
        "members.csv", "members.json", "index.html", "hits.parquet",
    }  # fmt: skip
    for path in (out, *out.iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    rows = table(out)
    assert {name: int(row["training_count"]) for name, row in rows.items()} == files.COUNTS
    assert rows["Nobody Here"]["membership"] == "non_member"
    data = json.loads((out / "members.json").read_text())
    keeps_to_its_schema("members", data)
    assert data["sources"][0]["sha256"]
    assert "Jane" not in (out / "members.json").read_text()


def test_names_that_may_be_somebody_elses_are_flagged(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Jane Doe\nMary Jane Doe\nMadonna\n王伟\nJosé\nJose\n---\n")
    (tmp_path / "c.txt").write_text("Mary Jane Doe\nMADONNA\nJosé\n")
    out = tmp_path / "out"
    assert run(tmp_path / "c.txt", "--names", tmp_path / "names.txt", "--out", out).exit_code == 0
    rows = table(out)
    assert rows["Jane Doe"]["ambiguous"] == "part of Mary Jane Doe"
    assert rows["Madonna"]["ambiguous"] == "one word"
    assert rows["王伟"]["ambiguous"] == rows["Mary Jane Doe"]["ambiguous"] == ""
    assert (rows["José"]["exact"], rows["Jose"]["accents"]) == ("1", "1")
    assert rows["Jose"]["training_count"] == "0"
    assert rows["Jose"]["membership"] == rows["---"]["membership"] == ""  # not told, either way


def cut_tar(path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for k in range(9):
            info = tarfile.TarInfo(f"{k}.txt")
            info.size = 700
            tar.addfile(info, io.BytesIO(b"Jane Doe".ljust(700)))
    path.write_bytes(stream.getvalue()[: 4 * 1536 + 600])


def cut_between_members(path: Path) -> None:
    cut_tar(path)
    path.write_bytes(path.read_bytes()[: 4 * 1536])


def cut_parquet(path: Path) -> None:
    files.coyo(path.parent)
    whole = (path.parent / "c.parquet").read_bytes()
    (path.parent / "c.parquet").unlink()
    path.write_bytes(whole[: len(whole) // 2])


def overwritten_parquet(path: Path) -> None:
    table = pa.table({"text": [f"{k} Jane Doe {k * k}" for k in range(5000)]})
    from pyarrow import parquet

    parquet.write_table(table, path)
    damaged = bytearray(path.read_bytes())
    damaged[100:2000] = b"\x7f" * 1900
    path.write_bytes(bytes(damaged))


def cut_gzip(path: Path) -> None:
    import gzip

    packed = gzip.compress(b"".join(b"Jane Doe %d\n" % k for k in range(9999)))
    path.write_bytes(packed[: len(packed) // 2])


DAMAGED = {
    "bad.tar": cut_tar,
    "between.tar": cut_between_members,
    "bad.parquet": cut_parquet,
    "over.parquet": overwritten_parquet,
    "bad.txt.gz": cut_gzip,
    "no.parquet": lambda path: path.write_bytes(b"PAR1"),
    "bad.json": lambda path: path.write_text('[{"caption": "Jane Doe"'),
    "empty.tsv": lambda path: path.write_text(""),
    "column.parquet": lambda path: files.write_parquet(path, {"width": [1]}),
    "numbers.parquet": lambda path: files.write_parquet(path, {"caption": [1]}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_listed_and_the_rest_done(name: str, names: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    files.text_lines(folder)
    DAMAGED[name](folder / name)
    out = tmp_path / "out"
    result = run(folder, "--names", names, "--out", out)
    assert result.exit_code == 0, result.exception
    data = json.loads((out / "members.json").read_text())
    keeps_to_its_schema("members", data)
    [damaged] = data["damaged"]
    assert Path(damaged["file"]).name == name
    assert name in result.stderr and damaged["reason"]
    assert {n: int(row["training_count"]) for n, row in table(out).items()} == files.COUNTS
    assert name in refused(folder, "--names", names, "--out", tmp_path / "o2", "--strict")
    assert name in refused(folder / name, "--names", names, "--out", tmp_path / "o3")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"x" * 10_000_000 + b" Jane Doe " + b"y" * 100, 1),
        (b"\x00\x00Jane Doe\x00", 1),
        (b"\xff\xfe\x80 Jane Doe \xe2\x80", 1),
        (b"Jane\x00Doe", 0),
    ],
    ids=["10 MB", "NUL", "invalid UTF-8", "NUL within"],
)
@pytest.mark.parametrize("suffix", ["txt", "tsv", "parquet", "jsonl"])
def test_hostile_captions_hide_no_name(
    suffix: str, text: bytes, count: int, names: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        files.write_parquet(path, {"caption": [b"a cat", text]})
    elif suffix == "jsonl":
        path.write_bytes(b'{"caption": "a cat"}\n{"caption": "' + text.replace(b"\0", b"\\u0000")
                         + b'"}\nno JSON\n')  # fmt: skip
    else:
        head = b"filepath\ttitle\n1\ta cat\n2\t" if suffix == "tsv" else b"a cat\n"
        path.write_bytes(head + text + b"\n")
    out = tmp_path / "out"
    result = run(path, "--names", names, "--out", out)
    assert result.exit_code == 0, result.exception
    assert int(table(out)["Jane Doe"]["training_count"]) == count
    data = json.loads((out / "members.json").read_text())
    assert (data["records"], data["malformed"]) == (2, int(suffix == "jsonl"))


def test_wrong_use_is_one_line(names: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("Jane Doe\n")
    (tmp_path / "a.bin").write_bytes(b"")
    (tmp_path / "dashes.txt").write_text("---\n''\n")
    files.coyo(tmp_path)
    given = ("--names", names, "--out", tmp_path / "out")
    assert "empty" in refused(tmp_path / "empty", *given)
    assert "nowhere" in refused(tmp_path / "nowhere", *given)
    assert "--format" in refused(tmp_path / "a.bin", *given)
    assert "'alt'" in refused(tmp_path / "c.parquet", *given, "--caption-column", "alt")
    assert "url" in refused(tmp_path / "a.txt", *given, "--unique-by", "url")
    dashes = ("--names", tmp_path / "dashes.txt", "--out", tmp_path / "out2")
    assert "letter" in refused(tmp_path / "a.txt", *dashes)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "members.csv").write_text("mine")
    assert "members.csv" in refused(tmp_path / "a.txt", "--names", names, "--out", theirs)


def test_the_work_of_another_search_is_not_taken(names: Path, tmp_path: Path) -> None:
    files.text_lines(tmp_path)
    (tmp_path / "cut.json").write_text("[")
    files_ = (tmp_path / "captions.txt", tmp_path / "cut.json")
    given = ("--names", names, "--out", tmp_path / "out")
    refused(*files_, *given, "--strict")
    assert "unfinished" in refused(*files_, *given, "--match", "paper")
    assert run(*files_, *given).exit_code == 0


@pytest.mark.slow
def test_a_search_killed_at_any_moment_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    rng = random.Random(3)
    folder = tmp_path / "in"
    folder.mkdir()
    people = [f"{a}{b} {c}{d}" for a in "JK" for b in "aeo" for c in "DT" for d in "oei"]
    (tmp_path / "names.txt").write_text("\n".join(people))
    for k in range(12):
        texts = [" ".join(rng.choices(["a", "cat", *people], k=4)) for _ in range(4000)]
        files.write_parquet(folder / f"{k:02}.parquet", {"url": files.urls(4000), "text": texts})

    def start(out: Path) -> ForkProcess:
        names = str(tmp_path / "names.txt")
        return command(
            ["members", str(folder), "--names", names, "--out", str(out), "--hits",
             "--workers", "2"]
        )  # fmt: skip

    def content(out: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in out.iterdir()}

    whole = start(tmp_path / "whole")
    begun = time.monotonic()
    whole.join(120)
    assert whole.exitcode == 0
    took = time.monotonic() - begun
    killed = 0
    for round_ in range(100):
        out = tmp_path / f"out{round_}"
        for _ in range(30):
            process = start(out)
            process.join(rng.uniform(0.1, 1.1) * took)
            if process.exitcode is not None:
                assert process.exitcode == 0
                break
            process.kill()
            process.join()
            killed += 1
            end = time.monotonic() + 60
            while (out / WORK / "lock").exists() and is_held(out / WORK / "lock"):
                assert time.monotonic() < end, "its workers do not end by themselves"
                time.sleep(0.05)
        assert content(out) == content(tmp_path / "whole")
        if killed >= KILLS:
            return
    pytest.fail(f"killed {killed} times only")


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["tsv", pytest.param("tar", marks=[pytest.mark.torch, pytest.mark.process])]
)
def test_the_study_gives_back_its_roles_and_counts(form: str, tmp_path: Path) -> None:
    """Names with a face, names without one, faces without a name: exactly as they were planned."""
    people = read_people()
    items = training_items(people, SHIPPED_SEED)
    if form == "tsv":
        training_captions.write_tsv(items, tmp_path / "train.tsv")
    else:  # webdataset imports PyTorch, which starts a process
        pytest.importorskip("webdataset")
        pixel = Image.new("RGB", (1, 1))
        training_captions.write_shards(items, tmp_path / "shards", lambda _: pixel)
    (tmp_path / "names.txt").write_text("".join(f"{person.name}\n" for person in people))
    captions = tmp_path / ("train.tsv" if form == "tsv" else "shards")
    for rule in ("name", "paper"):
        out = tmp_path / rule
        result = run(captions, "--names", tmp_path / "names.txt", "--out", out, "--match", rule)
        assert result.exit_code == 0, result.exception
        assert json.loads((out / "members.json").read_text())["records"] == len(items)
        rows = table(out)
        for person in people:
            named = 0 if person.role in ("face_only", "non_member") else person.training_count
            row = rows[person.name]
            assert int(row["training_count"]) == named, person
            assert row["membership"] == ("member" if named else "non_member"), person


def test_subjects_join_by_the_tools_own_notion_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text(
        "name,membership,training_count\nJosé López,member,7\nJane Doe,non_member,0\nX Y,,0\n"
    )
    asked = ["JOSE\u0301  lópez", "jane doe", "X Y", "Not There"]
    joined = with_members(SubjectList(tuple(Subject(name, ()) for name in asked)), path)
    assert [(each.membership, each.training_count) for each in joined] == [
        ("member", 7), ("non_member", None), (None, None), (None, None),
    ]  # fmt: skip
    with pytest.raises(IdiaIndexError, match="Jane Doe"):
        with_members(SubjectList((Subject("Jane Doe", (), "member"),)), path)


@pytest.mark.slow
def test_non_members_are_drawn_like_the_members(tmp_path: Path) -> None:
    from idia_index.prompts.sampling import sample_names

    drawn = sample_names(3000, 4, weighted=True)
    members, others = drawn.names()[:200], drawn.names()[200:]
    path = tmp_path / "members.csv"
    lines = [f"{name},member,3" for name in members] + [f"{name},non_member,0" for name in others]
    path.write_text("name,membership,training_count\n" + "\n".join(lines) + "\n")
    arguments = ["non-members", str(path), "--n", "150", "--json"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.exception
    data = json.loads(result.stdout)
    keeps_to_its_schema("non-members", data)
    assert len(set(data["names"])) == 150 and set(data["names"]) <= set(others)
    assert data["well_matched"]
    sexes = {name.name: name.sex for name in drawn}
    women = sum(sexes[name] == "f" for name in data["names"])
    assert data["female_share"]["drawn"] == pytest.approx(women / 150)
    assert CliRunner().invoke(cli, arguments).stdout == result.stdout
