"""Templates: the paper's, custom files, tricks, and when tokens may be joined."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idia_index.errors import InputError
from idia_index.prompts.templates import JAIR2024, Template, make_templates, read_templates

# Typed from the paper's repository, in its order; deliberately not read from the package.
PAPER = [
    "{0}",
    "an image of {0}",
    "a photo of {0}",
    "{0} on a photo",
    "a photo of a person named {0}",
    "a person named {0}",
    "a man named {0}",
    "a woman named {0}",
    "the name of the person is {0}",
    "a photo of a person with the name {0}",
    "{0} at a gala",
    "a photo of the celebrity {0}",
    "actor {0}",
    "actress {0}",
    "a colored photo of {0}",
    "a black and white photo of {0}",
    "a cool photo of {0}",
    "a cropped photo of {0}",
    "a cropped image of {0}",
    "{0} in a suit",
    "{0} in a dress",
]


def test_the_21_of_the_paper() -> None:
    assert [template.text for template in JAIR2024] == PAPER
    assert [t.fill("Ann Lee") for t in JAIR2024] == [p.format("Ann Lee") for p in PAPER]
    assert all(template.tokens_join("Ann Lee") for template in JAIR2024)


@pytest.mark.parametrize(
    "text",
    [
        "a photo",
        "",
        "{0} and {0}",
        "{0} and {name}",
        "{1}",
        "{}",
        "{{0}}",
        "{0.__class__}",
        "{0.__class__.__mro__[1].__subclasses__}",
        "{0[0]}",
        "{0!r}",
        "{0:>10}",
        "{ 0 }",
        "{NAME}",
        "{name.x}",
        "{0} {",
        "} {0}",
        "{0}}",
        "{{{0}}}",
        "{0} {x}",
        "%s",
        "$name",
        "{0}\x00",
        "{0}\u202e",
        "{0}\nx",
        "{00}",
        "{０}",
    ],
)
def test_refused_with_the_fix(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Template(text)
    assert str(caught.value).startswith("template: ") and str(caught.value).isprintable()
    if text and "\n" not in text:
        path = tmp_path / "templates.txt"
        path.write_text(f"a photo of {{0}}\n{text}\n", encoding="utf-8")
        with pytest.raises(InputError) as caught:
            read_templates(path)
        message = str(caught.value)
        assert message.startswith(f"{path}, line 2: ") and repr(text) in message
        assert "{0} or {name} once" in message or "remove it" in message


@pytest.mark.parametrize(
    "name", ["{0}", "{name}", "{0.__class__}", "%s", "\\1", "\\g<0>", "$0", "{", ""]
)
def test_a_name_goes_in_as_it_is(name: str) -> None:
    assert Template("a photo of {name}!").fill(name) == "a photo of " + name + "!"


_FREE = st.text(
    st.characters(exclude_characters="{}\ufffc\ufffd", exclude_categories=("C", "Zl", "Zp"))
)


@pytest.mark.slow
@given(_FREE, _FREE, st.sampled_from(["{0}", "{name}"]), st.text())
def test_fill_joins(prefix: str, suffix: str, placeholder: str, name: str) -> None:
    template = Template(prefix + placeholder + suffix)
    assert (template.prefix, template.suffix) == (prefix, suffix)
    assert template.fill(name) == prefix + name + suffix


@given(st.text(st.sampled_from("{}0name.! ")))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    """Oracle: blanking the one placeholder must leave no brace."""
    options = [
        (text[:i], text[i + len(p) :])
        for p in ("{0}", "{name}")
        for i in range(len(text))
        if text.startswith(p, i)
    ]
    good = len(options) == 1 and not {"{", "}"} & set("".join(options[0]))
    if good:
        assert (Template(text).prefix, Template(text).suffix) == options[0]
    else:
        with pytest.raises(InputError):
            Template(text)


def test_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "templates.txt"
    path.write_bytes("\ufeffa photo of {0}\r\n\r\n {name} an der Küste \r\n".encode())
    assert [t.text for t in read_templates(path)] == ["a photo of {0}", " {name} an der Küste "]
    path.write_bytes(b"\n \n")
    with pytest.raises(InputError, match="holds no template"):
        read_templates(path)


@pytest.mark.parametrize("text", ["a photo of {name}", "A  photo of {0} "])
def test_duplicates_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "templates.txt"
    path.write_text(f"\na photo of {{0}}\n{text}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3: .* repeats that of .*line 2: remove one"):
        read_templates(path)
    with pytest.raises(InputError, match=r"template 2: .* repeats that of template 1"):
        make_templates(["a photo of {0}", text])


@pytest.mark.parametrize(
    ("text", "name", "joins"),
    [
        ("{0}", "Ann", True),
        ("a {0} b", "Ann's", True),
        ("a{0} b", "Ann", False),
        ("{0}'s photo", "Ann", False),
        ('"{0}"', "Ann", False),
        ("a\u00a0{0}", "Ann", False),
        ("{0} & co", "Ann", False),
        ("a {0} b", "&amp", False),
        ("a {0} b", "Zoë", False),
        ("schön {0}", "Ann", False),
    ],
)
def test_tokens_join(text: str, name: str, joins: bool) -> None:
    assert Template(text).tokens_join(name) is joins


_PLAIN = st.one_of(
    st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="{}"), max_size=12
    ),
    st.lists(
        st.sampled_from(["'s", "<", ">", ";", "&", "lt", "amp;", " ", "1", "<end_of_text>", "A"]),
        max_size=5,
    ).map("".join),
)


@cache
def _clip_encode() -> Callable[[str], list[int]]:
    encode: Callable[[str], list[int]] = pytest.importorskip("open_clip").SimpleTokenizer().encode
    return encode


@settings(max_examples=200)
@given(_PLAIN, _PLAIN, _PLAIN, st.booleans())
def test_joined_tokens_are_those_of_the_prompt(
    prefix: str, suffix: str, name: str, spaced: bool
) -> None:
    encode = _clip_encode()
    text = f"{prefix} {{0}} {suffix}" if spaced else f"{prefix}{{0}}{suffix}"
    template = Template(text)
    if template.tokens_join(name):
        joined = encode(template.prefix) + encode(name) + encode(template.suffix)
        assert encode(template.fill(name)) == joined


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{0}'s photo", "Ann'"),
        ("x{0}", "Ann"),
        ("{0};", "&amp"),
        ("< {0}", "&NTILDE;"),
        ("{0} b", "Ã"),
    ],
)
def test_tokens_that_must_not_be_joined(text: str, name: str) -> None:
    """No rule of `tokens_join` is idle: these prompts have other tokens than their parts."""
    encode = _clip_encode()
    template = Template(text)
    joined = encode(template.prefix) + encode(name) + encode(template.suffix)
    assert encode(template.fill(name)) != joined
    assert not template.tokens_join(name)
