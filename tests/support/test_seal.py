"""A seal opens only with its own key and both parts unchanged."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.errors import InputError
from idia_index.support.seal import Key, fits, read_key, seal, write_key

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part),
    max_leaves=5,
)


@pytest.mark.slow
@given(plain, plain, plain, plain)
def test_a_seal_fits_what_was_sealed_and_nothing_else(a, b, c, d):  # type: ignore[no-untyped-def]
    made, key = seal(a, b)
    assert fits(made, a, key)
    other = Key(key.format, key.salt, d)
    same = json.dumps([a, b], sort_keys=True) == json.dumps([c, d], sort_keys=True)
    assert fits(made, c, other) == same


def test_a_seal_is_the_hmac_that_the_documentation_states() -> None:
    made, key = seal({"b": 1, "a": [2]}, "s")
    text = b'[{"a":[2],"b":1},"s"]'
    assert made == hmac.digest(bytes.fromhex(key.salt), text, hashlib.sha256).hex()


def test_the_same_secret_has_another_seal_each_time() -> None:
    assert len({seal([1], [2])[0] for _ in range(20)}) == 20


def test_a_key_comes_back_and_is_its_owners_only(tmp_path: Path) -> None:
    made, key = seal({"names": ["Zoë"]}, {"drawn": [3, 1]})
    write_key(tmp_path / "key", key)
    assert read_key(tmp_path / "key") == key
    assert fits(made, {"names": ["Zoë"]}, read_key(tmp_path / "key"))
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": "x"}', b"\xff", b"salt"])
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not the key of a seal") as error:
        read_key(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_key_that_is_not_there_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_key(tmp_path / "none")


@pytest.mark.parametrize("salt", ["", "zz" * 32, "00" * 31])
def test_a_broken_salt_is_refused(tmp_path: Path, salt: str) -> None:
    key = {"format": "idia-index/seal-key/1", "salt": salt, "secret": None}
    (tmp_path / "key").write_text(json.dumps(key))
    with pytest.raises(InputError, match="not the key of a seal"):
        read_key(tmp_path / "key")
