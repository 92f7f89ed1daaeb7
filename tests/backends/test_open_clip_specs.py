"""SPECs: which form a text has, and the error if none."""

from __future__ import annotations

from pathlib import Path

import pytest

from idia_index.errors import InputError
from idia_index.plugins.specs import ModelSpec, SpecKind, parse_spec


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pt").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.bin").touch()
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").touch()
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "text.onnx").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind", "architecture", "source"),
    [
        ("ViT-B-32/laion400m_e32", SpecKind.TAG, "ViT-B-32", "laion400m_e32"),
        ("ViT-B-32/weights.pt", SpecKind.CHECKPOINT, "ViT-B-32", "weights.pt"),
        ("ViT-B-32/deep/x.bin", SpecKind.CHECKPOINT, "ViT-B-32", "deep/x.bin"),
        ("ViT-B-32/./weights.pt", SpecKind.CHECKPOINT, "ViT-B-32", "weights.pt"),
        ("hf-hub:laion/CLIP-x", SpecKind.HUB, "", "laion/CLIP-x"),
        ("local-dir:deep", SpecKind.FOLDER, "", "deep"),
        ("export", SpecKind.EXPORT, "", "export"),
        ("deep", SpecKind.FOLDER, "", "deep"),
        ("./deep/", SpecKind.FOLDER, "", "deep"),
    ],
)
def test_forms(here: Path, text: str, kind: SpecKind, architecture: str, source: str) -> None:
    assert parse_spec(text) == ModelSpec(kind, architecture, source)


def test_what_follows_the_first_slash_is_a_path(here: Path) -> None:
    spec = parse_spec(f"ViT-B-32/{here}/weights.pt")
    assert (spec.kind, spec.path) == (SpecKind.CHECKPOINT, here / "weights.pt")
    assert str(here).startswith("/")  # so the text above has two slashes in a row


def test_a_file_named_like_a_tag_is_the_file(here: Path) -> None:
    (here / "openai").touch()
    assert parse_spec("ViT-B-32/openai").kind is SpecKind.CHECKPOINT


def test_a_folder_named_like_a_tag_is_the_tag(here: Path) -> None:
    (here / "openai").mkdir()
    assert parse_spec("ViT-B-32/openai").kind is SpecKind.TAG


@pytest.mark.parametrize("text", ["ViT-B-32/deep/x.bin", "local-dir:deep", "export", "RN50/cc12m"])
def test_text_means_the_same_in_another_folder(
    here: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = parse_spec(text)
    elsewhere = spec.text
    monkeypatch.chdir("/")
    again = parse_spec(elsewhere)
    assert (again.kind, again.architecture) == (spec.kind, spec.architecture)
    assert again.source in (spec.source, str(here / spec.source))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a model"),
        ("  ", "is not a model"),
        ("ViT-B-32", "ARCH/PRETRAINED"),
        ("ViT-B-32/", "is not a model"),
        ("ViT-B-32/a\0b", "is not a model"),
        ("weights.pt", "write ARCH/weights.pt"),
        ("index", "is an index; name the model"),
        ("deep/x.bin", "write ARCH/deep/x.bin"),
        ("ViT-B-32/gone.pt", "no such checkpoint: gone.pt"),
        ("ViT-B-32//gone/x", "no such checkpoint: /gone/x"),
        ("ViT-B-32/../gone", "no such checkpoint"),
        ("ViT-B-32/./deep", "is a folder"),
        ("ViT-B-32//dev/null", "not a regular file"),
        ("local-dir:", "names no folder"),
        ("local-dir:gone", "gone: no such folder"),
        ("local-dir:weights.pt", "is a file"),
        ("hf-hub:", "names no repository"),
        ("hf-hub:a", "names no repository"),
        ("hf-hub:a/../b", "names no repository"),
        ("ViT-B-32/" + "x" * 5000 + ".pt", "no such checkpoint"),
    ],
)
def test_refusals(here: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_spec(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
