"""Write what the controlled study's model was trained on: captions as TSV, with images as shards.

    python benchmarks/study/training_captions.py --out DIR
    idia-index members DIR/train.tsv --names DIR/names.txt --out DIR/from-tsv
    idia-index members DIR/shards --names DIR/names.txt --out DIR/from-shards

The shards are written by webdataset, as open_clip reads them: KEY.png and KEY.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from study_plan import Item, draw, training_items
from study_population import SHIPPED_SEED

from idia_index.study.population import read_people

PER_SHARD = 1000


def write_tsv(items: Sequence[Item], path: Path) -> None:
    """As open_clip's training takes it: filepath and title."""
    lines = [f"{number:06}.png\t{item.caption}\n" for number, item in enumerate(items)]
    path.write_text("filepath\ttitle\n" + "".join(lines), "utf-8")


def write_shards(
    items: Sequence[Item], folder: Path, image: Callable[[Item], Image.Image] = draw
) -> None:
    """As webdataset tars of a thousand samples."""
    import webdataset

    folder.mkdir(parents=True, exist_ok=True)
    pattern = f"file:{folder}/%05d.tar"
    with webdataset.ShardWriter(pattern, maxcount=PER_SHARD, verbose=0) as shards:
        for number, item in enumerate(items):
            shards.write({"__key__": f"{number:06}", "png": image(item), "txt": item.caption})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    people = read_people()
    items = training_items(people, SHIPPED_SEED)
    (out / "names.txt").write_text("".join(f"{person.name}\n" for person in people), "utf-8")
    write_tsv(items, out / "train.tsv")
    write_shards(items, out / "shards")


if __name__ == "__main__":
    main()
