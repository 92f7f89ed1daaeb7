"""Pieces of a page: escaped text, tables, bars, and the style sheet. No script, no request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from idia_index.support.text import printable

STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .2rem }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-top: 1px solid #ccc; padding-top: .8rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem }
p, li { max-width: 46rem } .lead, .small { color: #444 } .small { font-size: .88rem }
.verdict { font-size: 1.15rem; margin: .6rem 0 } .verdict strong { white-space: nowrap }
.alarm { border: 3px solid #1a1a1a; padding: .6rem 1rem; margin: 1rem 0; font-weight: 600 }
.alarm::before { content: "\\26A0\\FE0E  "; }
.note { border-left: 3px solid #888; padding: .1rem .9rem; margin: 1rem 0 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
  gap: 1rem 1.6rem; margin: 1rem 0 }
figure { margin: 0; min-width: 0; max-width: 32rem }
figure img { width: 100%; height: auto; display: block }
figcaption { font-size: .9rem; margin-top: .3rem }
.scroll { overflow-x: auto; margin: .5rem 0 }
table { border-collapse: collapse; font-size: .9rem } .wide table { width: 100% }
caption { text-align: left; font-size: .9rem; padding: .2rem 0; color: #444 }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.l { min-width: 9rem } .k td:first-child { white-space: nowrap; color: #444 }
svg.bar { display: block; width: 100%; min-width: 7rem; height: 16px }
details { margin: .1rem 0 } summary { cursor: pointer }
.mono { font: .82rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
.faces img { height: 5rem; margin: 0 .2rem .2rem 0 }
@media (max-width: 40rem) { body { margin: 1rem auto; padding: 0 .8rem }
  th, td { padding: .2rem .35rem } table { font-size: .82rem }
  td.n, th.n { white-space: normal } td.l { min-width: 6.5rem }
  .k td { display: block; border: 0; padding: 0 0 .1rem }
  .k td:last-child { padding-bottom: .5rem } }
@page { margin: 14mm }
@media print { body { max-width: none; margin: 0; padding: 0; font-size: 10pt }
  h2 { break-after: avoid } figure, tr, .alarm { break-inside: avoid }
  .figures { grid-template-columns: 1fr 1fr } .scroll { overflow: visible }
  table { font-size: 8.5pt } th, td { padding: .15rem .4rem }
  .screen { display: none } details:not([open]) > *:not(summary) { display: none } }
"""

# Nothing may be fetched, whatever a name or a path holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

Column = tuple[str, str]
"""Heading and class of a column: "" for text, "n" for numbers, "l" for longer text."""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole HTML document of parts that are HTML already."""
    # Escaped or not, nothing that a browser would obey instead of showing it.
    return printable(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def name_html(name: str) -> str:
    """A name: as text, in its own direction whatever stands around it."""
    return f"<bdi>{escape(name)}</bdi>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text, of a class."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], *, caption: str = "", kind: str = ""
) -> str:
    """A table of cells that are HTML already; the first cell of a row is its heading in meaning."""
    marks = [f' class="{kind_}"' if kind_ else "" for _, kind_ in columns]
    head = ""
    if any(text for text, _ in columns):
        cells = zip(marks, columns, strict=True)
        head = "".join(f'<th scope="col"{mark}>{escape(text)}</th>' for mark, (text, _) in cells)
        head = f"<thead><tr>{head}</tr></thead>"
    body = "".join(
        "<tr>"
        + "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks, row, strict=True))
        + "</tr>\n"
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll {kind}"><table>{title}{head}<tbody>{body}</tbody></table></div>'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """A table of keys and plain values."""
    cells = ([escape(key), f'<span class="mono">{escape(value)}</span>'] for key, value in rows)
    return table([("", ""), ("", "")], cells, kind="k")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for none."""
    return "-" if value is None else f"{100 * value:.{digits}f}%"


def interval(bounds: Sequence[float] | None, digits: int = 1) -> str:
    """An interval of shares; empty for none."""
    if bounds is None:
        return ""
    low, high = bounds
    return f"{100 * low:.{digits}f}% to {100 * high:.{digits}f}%"


def p_text(p: float) -> str:
    """A p-value with two digits that count."""
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.1e}"


def bar(value: float | None, bounds: Sequence[float] | None = None) -> str:
    """A share as a bar from 0 to 100%, with its interval as a whisker."""
    if value is None:
        return ""
    label = percent(value)
    whisker = ""
    if bounds is not None:
        low, high = (100 * bound for bound in bounds)
        label += f", 95% interval {interval(bounds)}"
        whisker = (
            f'<rect x="{low:.2f}" y="4.2" width="{max(high - low, 0.5):.2f}" height="1.6" '
            'fill="#111"/>'
        )
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><rect y="1" width="100" height="8" fill="#e8e8e8"/>'
        f'<rect y="1" width="{100 * value:.2f}" height="8" fill="#7da7c9"/>{whisker}</svg>'
    )
