"""One person over plain HTTP, from the photos to the answer to deletion."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served import NAME, Client, drawn, png, replayed, serving, shared_cache

from idia_index import audit, make_subject
from idia_index.pipelines.build import build_index
from idia_index.pipelines.demo import study_backend
from idia_index.prompts.names import make_names
from idia_index.study import candidates

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The cache, and the folder of temporary files."""
    return shared_cache(tmp_path_factory), tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def client(places: tuple[Path, Path]) -> Iterator[Client]:
    with serving(places[0], TMPDIR=str(places[1])) as served:
        served.enter()
        yield served


def test_the_answer_is_that_of_the_audit(client: Client, tmp_path: Path) -> None:
    photos = drawn(NAME)
    person = client.new_person()
    assert client.upload(f"{person}/photos", photos).status == 303
    client.settled(f"{person}/photos")
    assert client.post(f"{person}/ask").status == 303
    text = client.settled(f"{person}/answer")

    for name, data in photos:
        (tmp_path / name).write_bytes(data)
    backend = study_backend()
    index = build_index(tmp_path / "i.idia", backend, make_names(candidates()))
    (own,) = audit(index, backend, [make_subject(NAME, tmp_path)]).subjects
    assert f"<strong>{own.correct_prompts} of {len(own.votes)}</strong>" in text
    told = re.search(r"Of (\d+) comparable names, (\d+) would", text)
    assert told is not None and own.control_p_value is not None
    assert int(told.group(1)) == own.controls
    assert (int(told.group(2)) + 1) / (own.controls + 1) == pytest.approx(own.control_p_value)
    votes = re.findall(r'<td class="n">(\d+) of 30</td>', text)
    assert list(map(int, votes)) == [vote.count for vote in own.votes]
    assert "data:image" not in text
    assert client.get(f"{person}/report").status == 200


def test_photos_are_forgotten_with_the_answer_and_never_written(
    client: Client, places: tuple[Path, Path]
) -> None:
    person = client.new_person()
    rng = np.random.default_rng(1)
    large = png(Image.fromarray(rng.integers(0, 256, (900, 900, 3), np.uint8)))
    assert len(large) > 2 << 20  # past the size from which uploads are usually spilled to disk
    before = {path for folder in places for path in folder.rglob("*")}
    client.upload(f"{person}/photos", [("large.png", large), ("b.png", b"-"), *drawn(NAME, 3)])
    text = client.settled(f"{person}/photos")
    assert text.count('alt="what the model sees of') == 4 and "b.png: " in text
    assert _open_files(client) & {os.fsdecode(places[1])} == set()
    client.post(f"{person}/ask")
    client.settled(f"{person}/answer")
    text = client.get(f"{person}/photos").text
    assert "its photos are deleted" in text and "b.png" not in text
    assert not list(places[1].rglob("*"))
    new = {path for folder in places for path in folder.rglob("*")} - before
    assert all("practice" in str(path) for path in new)
    assert not [path for path in new if "images.cache" in path.name]


def _open_files(client: Client) -> set[str]:
    found = Path(f"/proc/{client.process.pid}/fd")
    return {str(each.readlink().parent) for each in found.iterdir() if each.exists()}


def test_a_deleted_person_is_gone(client: Client) -> None:
    person = client.new_person("Somebody Else")
    client.upload(f"{person}/photos", drawn(NAME, 2))
    client.settled(f"{person}/photos")
    assert "Somebody Else" in client.get("/data").text
    assert client.post("/delete", what=person.split("/")[-1]).status == 303
    assert client.get(f"{person}/photos").status == 404
    assert "Somebody Else" not in client.get("/data").text


def test_a_run_can_be_cancelled_and_begun_again(client: Client) -> None:
    person = client.new_person()
    client.upload(f"{person}/photos", drawn(NAME, 8))
    client.settled(f"{person}/photos")
    client.post(f"{person}/ask")
    client.post(f"{person}/cancel")
    text = client.get(f"{person}/answer").text
    assert "Stopping." in text or "refresh" not in text
    text = client.settled(f"{person}/photos")
    assert "Nothing was lost" in text or "associated" in client.get(f"{person}/answer").text
    client.post(f"{person}/ask")
    assert "associated" in client.settled(f"{person}/answer")


@pytest.mark.parametrize(
    "name", ["", "   ", "a\x00b", "\u202eevil", "x" * 5000, "<script>alert(1)</script>" * 90]
)
def test_a_name_that_is_none_is_refused_in_one_line(client: Client, name: str) -> None:
    reply = client.post("/person", name=name, basis="self")
    assert reply.status in (303, 422)
    if reply.status == 303:
        assert "<script" not in client.get(reply.headers["location"]).text
    else:
        assert 'class="alarm"' in reply.text


def test_a_person_needs_a_ground_and_photos(client: Client) -> None:
    assert "Say why this person" in client.post("/person", name="Jane Doe").text
    person = client.new_person("Jane Doe")
    assert "There is no photo yet" in client.post(f"{person}/ask").text


def test_hostile_files_are_left_out_with_their_reason(client: Client) -> None:
    person = client.new_person()
    bomb = png(Image.new("1", (20_000, 20_000)))
    files = [
        ("../../etc/passwd", b"root:x:0:0"),
        ("<img src=x onerror=alert(1)>.png", b"\x89PNG\r\n\x1a\n" + bytes(50)),
        ("bomb.png", bomb),
        ("empty.jpg", b""),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
        *drawn(NAME, 1),
        ("again.png", drawn(NAME, 1)[0][1]),
        ("0.png", drawn(NAME, 2)[1][1]),
    ]
    client.upload(f"{person}/photos", files)
    text = client.settled(f"{person}/photos")
    assert "2 photos" in text  # and a second one of the same name is another photo
    assert "0.png (2)" in text
    for reason in ("100,000,000 pixels", "the same bytes as", "etc/passwd"):
        assert reason in text
    assert "<img src=x" not in text
    assert "<svg xmlns" not in text


def test_a_misspelt_name_is_told_and_corrected(client: Client) -> None:
    person = client.new_person("Jery Taylor")
    told = client.get(f"{person}/photos").text
    assert "is not among the names" in told and f">{NAME}</button>" in told
    assert client.post(f"{person}/name", name=NAME).status == 303
    told = client.get(f"{person}/photos").text
    assert f"Photos of {NAME}" in told and "is not among the names" not in told


def test_more_bytes_than_there_is_room_for_are_refused_before_they_are_read(
    client: Client,
) -> None:
    person = client.new_person()
    kind = "multipart/form-data; boundary=x"
    reply = client.send("POST", f"{person}/photos", b"", Content_Type=kind,
                        Origin=f"http://{client.host}", Content_Length=str(5 << 30))  # fmt: skip
    assert reply.status == 422
    assert "room for" in reply.text


def test_memory_stays_bounded_while_200_photos_are_sent(client: Client) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (360, 360, 3), np.uint8)
    photos = []
    for number in range(200):
        pixels[0, 0] = number
        photos.append((f"{number}.png", png(Image.fromarray(pixels))))
    sent = sum(len(data) for _, data in photos)
    person = client.new_person("Many Photos")
    before = _resident(client)
    client.upload(f"{person}/photos", photos)
    text = client.settled(f"{person}/photos")
    assert "200 photos" in text
    # What was sent, once as it came and once as it is kept, and room for one decoded photo.
    assert _peak(client) - before < 2.2 * sent + (200 << 20)
    client.post("/delete", what=person.split("/")[-1])


def _resident(client: Client) -> int:
    return _status(client, "VmRSS")


def _peak(client: Client) -> int:
    return _status(client, "VmHWM")


def _status(client: Client, key: str) -> int:
    text = Path(f"/proc/{client.process.pid}/status").read_text()
    found = re.search(rf"{key}:\s+(\d+) kB", text)
    assert found
    return int(found.group(1)) << 10


def test_a_photo_can_be_cut_and_taken_back_even_the_last(client: Client) -> None:
    person = client.new_person()
    client.upload(f"{person}/photos", drawn(NAME, 1))
    assert "0.png</bdi>, 64 x 64" in client.settled(f"{person}/photos")
    box = {"photo": "0.png", "left": "10", "top": "10", "right": "50", "bottom": "60"}
    assert client.post(f"{person}/frame", **box).status == 303
    assert "0.png</bdi>, 40 x 50" in client.settled(f"{person}/photos")
    assert client.post(f"{person}/frame", **(box | {"right": "5"})).status == 422
    assert client.post(f"{person}/remove", photo="0.png").status == 303
    assert "0 photos" in client.settled(f"{person}/photos")
    assert client.post(f"{person}/remove", photo="0.png").status == 422


def test_a_corrected_table_is_read_again(client: Client, tmp_path: Path) -> None:
    for name, data in drawn(NAME, 2):
        (tmp_path / name).write_bytes(data)
    table = tmp_path / "t.csv"
    table.write_text(f"Name;Path\n{NAME};0.png\nAaron Brooks;gone.png\nJery Taylor;1.png\n")
    group = client.upload("/people", [], path=str(table), basis="yes").headers["location"]
    text = client.get(group).text
    assert "1 to correct" in text and "line 3" in text and "gone.png" in text
    assert "read as a table with semicolons" in text
    assert "Perhaps misspelt" in text and f"nearly the same as {NAME}" in text
    assert "takes 299 known non-members without an error; there are 0 here" in text
    table.write_text(table.read_text().replace("gone.png", "1.png").replace("Jery", "Jerry"))
    assert client.post(f"{group}/again").status == 303
    text = client.get(group).text
    assert "to correct" not in text and "misspelt" not in text and "2 people" in text


def test_a_button_pressed_twice_asks_once_and_nobody_is_left_out_in_silence(
    client: Client,
) -> None:
    photo = drawn(NAME, 1)[0][1]
    sent = [("p/Jerry_Taylor/1.png", photo), ("p/Jane_Doe/1.png", b"no image")]
    group = client.upload("/people", sent, basis="yes").headers["location"]
    for _again in range(2):
        assert client.post(f"{group}/ask").status == 303
    text = client.settled(group)
    assert client.post(f"{group}/ask").status == 303  # by another tab that still shows the button
    assert client.get(group).text == text
    assert "People left out: 1" in text and "has no image that can be read" in text


def test_a_report_is_replayed_where_its_photos_lie_now(client: Client, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    _, replay = replayed(client, tmp_path / "kept")
    text = client.get(replay).text
    assert "The report holds, bit for bit" in text and "identities were checked against" in text
    moved = (tmp_path / "kept" / "people").rename(tmp_path / "moved")
    report = str(tmp_path / "kept" / "report.json")
    gone = client.settled(client.post("/replay", path=report).headers["location"])
    assert "no longer exists; restore the image" in gone
    found = client.post("/replay", path=report, subjects=str(moved)).headers["location"]
    text = client.settled(found)
    assert (
        "The report holds, bit for bit" in text
        and "8 photos are no longer where the report says" in text
    )
    assert client.post("/replay", path=str(tmp_path)).status == 422
    assert client.post("/delete", what=found.split("/")[-1]).status == 303
    assert client.get(found).status == 404
