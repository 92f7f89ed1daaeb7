"""Wheels for a machine without a network: in pieces that travel, joined and installed there.

python benchmarks/gpu/wheels.py DIR NAME...     # here: download, build idia-index, cut
python benchmarks/gpu/run.py --wheels DIR       # there: join, install into a folder, run
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PIECE = 45 << 20  # bytes: below what tools that move files take at a time
ROOT = Path(__file__).parents[2]
PLATFORMS = ("2_35", "2_34", "2_31", "2_28", "2_27", "2_24", "2_17")


def cut(folder: Path) -> None:
    """Replaces every file of more than a piece by `FILE.000`, `FILE.001`, ..."""
    for path in sorted(folder.glob("*.whl")):
        if path.stat().st_size <= PIECE:
            continue
        with path.open("rb") as file:
            for number, piece in enumerate(iter(lambda: file.read(PIECE), b"")):
                path.with_name(f"{path.name}.{number:03}").write_bytes(piece)
        path.unlink()


def join(folder: Path, into: Path) -> list[Path]:
    """The wheels of a folder, those in pieces put together in another."""
    into.mkdir(parents=True, exist_ok=True)
    wheels = sorted(folder.glob("*.whl"))
    for first in sorted(folder.glob("*.whl.000")):
        whole = into / first.stem
        with whole.open("wb") as out:
            for piece in sorted(folder.glob(f"{first.stem}.[0-9][0-9][0-9]")):
                out.write(piece.read_bytes())
        wheels.append(whole)
    return wheels


def install(folder: Path, target: Path) -> str | None:
    """Installs a folder's wheels and nothing else; why it failed, or None."""
    wheels = join(folder, target / "wheels")
    if not wheels:
        return f"{folder} holds no wheels; make it with benchmarks/gpu/wheels.py"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade"]
    done = subprocess.run(
        [*pip, "--target", str(target), *map(str, wheels)], capture_output=True, text=True
    )
    return (done.stderr.strip().splitlines() or ["pip fails"])[-1] if done.returncode else None


def library_folders(target: Path) -> list[str]:
    """Where installed wheels keep shared libraries of CUDA."""
    return [str(path) for path in sorted(target.glob("nvidia/*/lib"))]


def main() -> None:
    """Makes a folder of wheels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", help="packages, each on its own (open_clip_torch, ...)")
    parser.add_argument("--python-version", default="3.12")
    options = parser.parse_args()
    pip = [sys.executable, "-m", "pip"]
    platforms = [f"--platform=manylinux_{version}_x86_64" for version in PLATFORMS]
    fixed = ["--no-deps", "--only-binary=:all:", "--implementation=cp", *platforms]
    fixed += [f"--python-version={options.python_version}", "-d", str(options.folder)]
    subprocess.run([*pip, "download", *fixed, *options.names], check=True)
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(options.folder), str(ROOT)], check=True)
    cut(options.folder)


if __name__ == "__main__":
    main()
