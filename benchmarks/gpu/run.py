"""Proves the GPU path in one command, in under eight minutes; each part in a process of its own.

    python benchmarks/gpu/run.py [--wheels DIR] [--only PART,...] [--small] [--out FOLDER]

Correctness first, then speed. A part that fails, hangs or lacks something costs only itself; the
table says why. --small runs the same parts at small sizes, on a processor too. --wheels installs
what a bare machine lacks into a folder beside the results (see docs/gpu.md).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
WHOLE = 460  # seconds for all parts together: a command of eight minutes at most
# The parts in order of worth, and the most seconds that each may take.
BOUNDS = {
    "found": 40,
    "towers": 120,
    "decisions": 90,
    "indexes": 60,
    "onnx": 40,
    "text-speed": 110,
    "search-speed": 90,
    "photo-speed": 40,
}


def run_part(part: str, small: bool, bound: float, out: Path, target: Path) -> dict[str, object]:
    """What a part wrote, or why it wrote nothing."""
    result = out / f"{part}.json"
    result.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "part.py"), part, str(result)]
    began = time.monotonic()
    with (out / f"{part}.log").open("w") as log:
        process = subprocess.Popen(
            command + ["--small"] * small, stdout=log, stderr=subprocess.STDOUT,
            env=_environment(target), start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(bound)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, KeyboardInterrupt):
                raise
            code = None
    found: dict[str, object] = {"part": part, "rows": []}
    if result.exists():  # rows that were there before it ended, too
        found.update(json.loads(result.read_text()))
    if code is None:
        found["failed"] = f"stopped after {bound:.0f} s"
    elif code:
        lines = (out / f"{part}.log").read_text().strip().splitlines()
        found["failed"] = lines[-1] if lines else f"exit code {code}"
    return {**found, "seconds": round(time.monotonic() - began, 1)}


def _environment(target: Path) -> dict[str, str]:
    sys.path.insert(0, str(HERE))
    from wheels import library_folders

    paths = [str(target), os.environ.get("PYTHONPATH", "")]
    libraries = [*library_folders(target), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
    }


def table(results: list[dict[str, object]]) -> str:
    """Markdown, a line a row."""
    lines = ["| part | what | value | holds |", "| --- | --- | --- | --- |"]
    for result in results:
        part = result["part"]
        for row in result["rows"]:  # type: ignore[attr-defined]
            holds = {True: "yes", False: "NO", None: ""}[row["holds"]]
            lines.append(f"| {part} | {row['what']} | {row['value']} | {holds} |")
        for why in ("skipped", "failed"):
            if why in result:
                lines.append(f"| {part} | {why} | {result[why]} | {'NO' * (why == 'failed')} |")
    return "\n".join(lines)


def main() -> int:
    """Runs the parts; 0 if every claim holds that was tried, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--only", default=",".join(BOUNDS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(BOUNDS)
    if unknown:
        parser.error(f"no part {sorted(unknown)[0]!r}; available: {', '.join(BOUNDS)}")
    out, target = options.out.resolve(), options.out.resolve() / "site"
    target.mkdir(parents=True, exist_ok=True)
    began, results = time.monotonic(), []
    if options.wheels is not None:
        sys.path.insert(0, str(HERE))
        from wheels import install

        if problem := install(options.wheels, target):
            results.append({"part": "wheels", "rows": [], "failed": problem})
    for part in options.only.split(","):
        left = WHOLE - (time.monotonic() - began)
        if left < 10:
            results.append({"part": part, "rows": [], "skipped": "no time is left"})
            continue
        results.append(run_part(part, options.small, min(BOUNDS[part], left), out, target))
        print(f"{part}: {results[-1]['seconds']} s", file=sys.stderr, flush=True)
        (out / "gpu.json").write_text(json.dumps(results, indent=1) + "\n")
        (out / "gpu.md").write_text(table(results) + "\n")
    print(table(results))
    refuted = any(row["holds"] is False for r in results for row in r["rows"])  # type: ignore[attr-defined]
    return int(refuted or any("failed" in result for result in results))


if __name__ == "__main__":
    sys.exit(main())
