"""Texts, grids and images through a backend: order, unit length, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy_backend import DIM, ToyBackend, word_vector

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import InputError, ModelError
from idia_index.plugins import PackTower
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import JAIR2024, make_templates
from idia_index.types import Float32, Pack

START, END = 1, 2


class LetterTokenizer:
    """A token per letter, case folded, spaces apart: works word by word, as CLIP's does."""

    start, end = START, END

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(c) for c in text.lower() if c != " "] for text in texts]


class SumTower(PackTower):
    """Embeds a prompt as the sum of vectors of (position, token) along its own path."""

    tokenizer = LetterTokenizer()
    context_length = 80
    pack_nodes = 90
    pack_batch = 2

    def embed_pack(self, pack: Pack) -> Float32:
        n = pack.ids.shape[1]
        out = []
        for read in pack.reads.tolist():
            tree, node = divmod(read, n)
            seen = np.flatnonzero(pack.mask[tree, node])
            out.append(path_vector(zip(pack.positions[tree, seen], pack.ids[tree, seen])))  # noqa: B905
        return np.array(out, np.float32)


def path_vector(path) -> Float32:  # type: ignore[no-untyped-def]
    return np.sum([word_vector(f"{position}:{token}") for position, token in path], axis=0)


def expected(text: str) -> Float32:
    letters = [START, *(ord(c) for c in text.lower() if c != " "), END]
    vector = path_vector(enumerate(letters))
    return vector / np.linalg.norm(vector)


class PackToy(ToyBackend):
    text_tower = SumTower()


NAMES = ["Jane Doe", "Jane Roe", "Zoë", "A & B", "jane doe", "X"]


def test_a_grid_through_packs_is_every_prompt_by_itself() -> None:
    grid = PromptGrid([*JAIR2024, *make_templates(["{0}'s photo", "<{name}>"])], NAMES)
    rows = embeddings.encode_grid(PackToy(model="toy"), grid, 1, 6)
    for template in range(23):
        for name in range(1, 6):
            np.testing.assert_allclose(
                rows[template, name - 1], expected(grid.text(template, name)), atol=1e-5
            )


@pytest.mark.slow
@given(st.lists(st.text("ab c", min_size=1, max_size=12), min_size=1, max_size=30))
def test_texts_in_any_order_come_back_in_it(texts: list[str]) -> None:
    rows = Backend(PackToy(model="toy")).encode_texts(texts)
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_allclose(row, expected(text), atol=1e-5)


def test_rows_are_unit_length_and_float32(toy: ToyBackend) -> None:
    for backend in (toy, PackToy(model="toy")):
        rows = Backend(backend).encode_texts([f"text {i}" for i in range(300)])
        assert rows.dtype == np.float32 and rows.shape == (300, DIM)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_prompt_past_the_context_length_is_shown() -> None:
    long = "x" * 79
    with pytest.raises(InputError, match=f"prompt '{long}' has 81 tokens, the model reads 80"):
        Backend(PackToy(model="toy")).encode_texts(["short", long])
    assert Backend(PackToy(model="toy")).encode_texts(["x" * 78]).shape == (1, DIM)
    grid = PromptGrid(JAIR2024, ["Jane Doe", "y" * 60])
    with pytest.raises(InputError, match=r"prompt 'a photo of a person with the name y+' has"):
        embeddings.check_grid(PackToy(model="toy"), grid, 0, 2)


@pytest.mark.parametrize("letter", [chr(START), chr(END)])
def test_a_special_token_inside_a_prompt_is_refused(letter: str) -> None:
    with pytest.raises(InputError, match="special tokens"):
        Backend(PackToy(model="toy")).encode_texts([f"a{letter}b"])


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_broken_weights_are_noticed(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ToyBackend(model="toy")
    broken = np.ones((3, DIM), np.float32)
    broken[1] = value
    monkeypatch.setattr(ToyBackend, "embed_texts", lambda self, texts: broken)
    with pytest.raises(InputError, match=r"model toy: its text embedding 1 .* weights are broken"):
        Backend(toy).encode_texts(["a", "b", "c"])


def test_a_backend_of_whole_texts_tells_which_names_it_cannot_read() -> None:
    """As a plugin of others does: it refuses a text when it is to embed it."""

    class Short(ToyBackend):
        text_batch = 7

        def embed_texts(self, texts: Sequence[str]) -> Float32:
            if self.model == "broken":
                raise ModelError("no model")
            for text in texts:
                if len(text) > 60:
                    raise InputError(f"{text}: too long")
            return super().embed_texts(texts)

    names = [f"N{place}" if place % 9 else f"N{place}" + "n" * 60 for place in range(1, 40)]
    grid = PromptGrid(JAIR2024[:3], names)
    found = embeddings.unreadable_names(Short(model="toy"), grid)
    assert [names[place] for place in found] == [name for name in names if len(name) > 60]
    assert all(names[place] in told for place, told in found.items())
    with pytest.raises(ModelError, match="no model"):
        embeddings.unreadable_names(Short(model="broken"), grid)


def test_a_backend_with_neither_way_to_embed_texts_says_so() -> None:
    class Half(ToyBackend):
        embed_texts = PackToy.__mro__[2].embed_texts  # the protocol's own

    with pytest.raises(TypeError, match="neither a text_tower nor embed_texts"):
        Backend(Half(model="toy")).encode_texts(["a"])


def test_one_text_or_one_image_is_not_taken_apart(tmp_path: Path) -> None:
    backend = Backend(ToyBackend(model="toy"))
    with pytest.raises(InputError, match=r"a list of texts: pass \['Jane'\]"):
        backend.encode_texts("Jane")
    for image in ("a.png", tmp_path / "a.png", Image.new("L", (4, 4))):
        with pytest.raises(InputError, match="a list of images"):
            backend.encode_images(image)  # type: ignore[arg-type]


def test_the_wrapper_stands_where_the_plugin_does() -> None:
    plugin = PackToy(model="toy")
    backend = Backend(plugin)
    assert (backend.name, backend.model, backend.device) == ("toy", "toy", "nowhere")
    assert backend.fingerprint == plugin.fingerprint and backend.text_tower is plugin.text_tower
    texts = ["Jane Doe", "Adam Low"]
    assert np.array_equal(backend.encode_texts(texts), embeddings.encode_texts(backend, texts))
