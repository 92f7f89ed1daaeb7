"""The line reader, also on hostile files, against a reader that loads everything."""

from __future__ import annotations

import os
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.errors import InputError
from idia_index.support import text_lines
from idia_index.support.text import FORBIDDEN, check_text, shown, shown_path
from idia_index.support.text_lines import iter_blocks, read_lines


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "lines.txt"
    path.write_bytes(data)
    return path


def _message(path: str | os.PathLike[str]) -> str:
    with pytest.raises(InputError) as caught:
        read_lines(path)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable()
    return message


@pytest.mark.parametrize(
    ("data", "texts", "numbers", "blanks"),
    [
        (b"", (), (), 0),
        (b"\n", (), (), 1),
        (b"A", ("A",), (1,), 0),
        (b"Ann", ("Ann",), (1,), 0),
        (b"Ann\n", ("Ann",), (1,), 0),
        (b"\xef\xbb\xbfAnn\r\nBo\r\n", ("Ann", "Bo"), (1, 2), 0),
        (b"\xef\xbb\xbf", (), (), 0),
        (b"\xef\xbb", None, None, None),
        (b"\n\nAnn\n  \n\r\nBo", ("Ann", "Bo"), (3, 6), 4),
        (b" Ann  Lee \n", (" Ann  Lee ",), (1,), 0),
        ("Zoë\n李\nمی‌خواهم\n".encode(), ("Zoë", "李", "می‌خواهم"), (1, 2, 3), 0),
    ],
)
def test_reads(
    tmp_path: Path,
    data: bytes,
    texts: tuple[str, ...] | None,
    numbers: tuple[int, ...],
    blanks: int,
) -> None:
    path = _write(tmp_path, data)
    if texts is None:
        assert "is not UTF-8" in _message(path)
        return
    lines = read_lines(path)
    assert (lines.texts, lines.numbers, lines.blanks) == (texts, numbers, blanks)


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"Ann\nB\x00o\n", 2, "U+0000"),
        (b"Ann\n\x1b[31mBo\n", 2, "U+001B"),
        (b"Ann\tLee\n", 1, "U+0009"),
        (b"Ann\rBo\r", 1, "lone CR"),
        ("a\nb\nAnn\u202eeeL\n".encode(), 3, "right-to-left override"),
        ("Ann\u200bLee".encode(), 1, "zero width space"),
        ("Ann\nB\ufeffo".encode(), 2, "U+FEFF"),
        ("Ann\u2028Lee".encode(), 1, "line separator"),
        ("Ann\x85Lee".encode(), 1, "U+0085"),
        ("Ann \ufffd".encode(), 1, "replacement character"),
        (b"Ann\nB\xf7\n", 2, "byte 0xF7 at offset 5 is not UTF-8"),
        (b"\xef\xbb\xbfAnn\nB\xf7\n", 2, "byte 0xF7 at offset 8 is not UTF-8"),
        (b"\xed\xa0\x80\n", 1, "not UTF-8"),
        (b"Ann\n" + b"x" * 5000, 2, "longer than 4096 bytes"),
        (b"Ann\n\n" + b"x" * (1 << 20) + b"\nBo\n", 3, "longer than 4096 bytes"),
    ],
)
def test_names_file_line_and_remedy(tmp_path: Path, data: bytes, line: int, what: str) -> None:
    path = _write(tmp_path, data)
    message = _message(path)
    assert message.startswith(f"{path}, line {line}: ") and what in message
    assert message.count(": ") >= 2, "the remedy follows the second colon"


def test_line_numbers_and_offsets_hold_past_the_first_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_lines, "CHUNK_BYTES", 7)
    good = b"\xef\xbb\xbf" + b"".join(b"name %d\r\n" % i for i in range(100))
    path = _write(tmp_path, good + b"\xf7\n")
    assert f"line 101: byte 0xF7 at offset {len(good)} " in _message(path)
    path = _write(tmp_path, good + b"a\x00b")
    assert "line 101: " in _message(path)
    path = _write(tmp_path, good + b"Bo")
    assert read_lines(path).texts[-2:] == ("name 99", "Bo")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_limit_is_in_bytes_without_the_line_end(tmp_path: Path, end: bytes) -> None:
    assert read_lines(_write(tmp_path, "é".encode() * 2048 + end)).texts == ("é" * 2048,)
    path = _write(tmp_path, "é".encode() * 2048 + b"e" + end)
    assert "line 1: the line is longer than 4096 bytes" in _message(path)


def test_an_endless_line_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.write(b"x" * 64)
        file.truncate(1 << 30)  # sparse: a line of a gibibyte, nearly all NUL
    tracemalloc.start()
    assert "longer than" in _message(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "is a folder" in _message(tmp_path)
    assert "No such file" in _message(tmp_path / "missing.txt")
    assert "null" in _message(f"{tmp_path}/a\0b")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in _message(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot open" in _message(tmp_path / "loop")
    assert "'" in _message(f"{tmp_path}/new\nline")


_LINE = st.text(st.characters(codec="utf-8"), max_size=6)


@pytest.mark.slow
@given(st.lists(_LINE, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_agrees_with_a_plain_reader(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, bom: bool
) -> None:
    text = end.join(lines)
    path = _write(tmp_path_factory.getbasetemp(), b"\xef\xbb\xbf" * bom + text.encode("utf-8"))
    wanted = text.replace("\r\n", "\n").split("\n")
    if wanted[-1] == "":
        wanted.pop()
    bad = [i for i, line in enumerate(wanted, 1) if any(map(_is_refused, line))]
    if bad:
        assert _message(path).startswith(f"{path}, line {bad[0]}: ")
    else:
        assert [line for block in iter_blocks(path) for line in block] == wanted
        assert read_lines(path).blanks == sum(not line.strip() for line in wanted)


def _is_refused(character: str) -> bool:
    """By Unicode category, which the module does not use."""
    if character in "\u200c\u200d":
        return False
    if character in "\ufffc\ufffd\ufffe\uffff":
        return True
    # The literal list covers the format characters of Unicode 3.2 to 5 and the tags; later ones
    # (Egyptian and musical layout, Kaithi) change no other script's text.
    category = unicodedata.category(character)
    late = 0x0600 <= ord(character) <= 0x08FF or 0x110BD <= ord(character) < 0xE0000
    if category == "Cf" and late:
        return FORBIDDEN.search(character) is not None
    return category in ("Cc", "Cf", "Zl", "Zp", "Cs") or (
        0x2060 <= ord(character) <= 0x206F
        or 0xFFF9 <= ord(character) <= 0xFFFB
        or 0xE0000 <= ord(character) <= 0xE007F
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = _write(tmp_path_factory.getbasetemp(), data)
    try:
        lines = read_lines(path)
    except InputError as error:
        assert str(error).isprintable() and str(path) in str(error)
    else:
        codec = {"Windows-1252": "cp1252"}.get(lines.encoding.name, lines.encoding.name)
        assert data.decode(codec).count("\n") <= len(lines.texts) + lines.blanks


def test_check_text_names_the_place() -> None:
    check_text("Zoë O'Brien", "here")
    for text in ("a\nb", "a\x7f", os.fsdecode(b"caf\xe9")):
        with pytest.raises(InputError, match=r"^here: ") as caught:
            check_text(text, "here")
        assert str(caught.value).isprintable()


def test_what_messages_show_is_short_and_printable() -> None:
    assert shown("x" * 1000) == f"{'x' * 80!r}... (1000 characters)"
    assert shown("\x1b[2J").isprintable() and shown_path("a\x1b\n").isprintable()
    assert shown_path(Path("/tmp/names.txt")) == "/tmp/names.txt"
