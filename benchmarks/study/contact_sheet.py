"""Draw docs/img/study-portraits.png: a row a person, a column an attack image."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from idia_index.study import StudySubject, render, subjects
from idia_index.study.portrait import SIZE

OUT = Path(__file__).parents[2] / "docs" / "img" / "study-portraits.png"
ROWS, COLUMNS, EDGE = 4, 10, 96


def sheet(people: list[StudySubject], columns: int, edge: int) -> Image.Image:
    """One row a person, their first `columns` attack images, each `edge` pixels wide."""
    whole = Image.new("RGB", (columns * SIZE, len(people) * SIZE))
    for row, person in enumerate(people):
        for column, image in enumerate(render(person, columns)):
            whole.paste(image, (column * SIZE, row * SIZE))
    return whole.resize((columns * edge, len(people) * edge), Image.Resampling.LANCZOS)


def main() -> None:
    known = [s for s in subjects() if s.training_count in (25, 75) and s.role == "member"]
    unknown = [s for s in subjects() if s.role == "non_member"]
    people = [known[0], unknown[1], known[5], unknown[7]]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    picture = sheet(people[:ROWS], COLUMNS, EDGE)
    picture.quantize(256, dither=Image.Dither.NONE).save(OUT, optimize=True)
    print(", ".join(f"{p.name} ({p.role}, {p.training_count})" for p in people), OUT.stat().st_size)


if __name__ == "__main__":
    main()
