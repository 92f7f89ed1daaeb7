"""The demo's own rows, with a toy model on a few of the study's people."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from toy_backend import ToyBackend

from idia_index.cli.main import run as run_command
from idia_index.evaluation.controls import name_traits
from idia_index.pipelines.recorded_results import read_results
from idia_index.study import subjects

PEOPLE = sorted(subjects(), key=lambda s: (s.role, s.name))[::9]


@pytest.mark.slow
def test_the_name_swap_is_that_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("idia_index.cli.demo.go_offline", lambda: None)
    monkeypatch.setattr("idia_index.cli.demo.study_backend", lambda: ToyBackend(model="toy"))
    monkeypatch.setattr("idia_index.pipelines.demo.shown_people", lambda: PEOPLE)
    monkeypatch.setattr("idia_index.pipelines.demo.candidates", lambda: [s.name for s in PEOPLE])
    out = tmp_path / "out"
    assert run_command(["demo", "--out", str(out), "--json"], debug=True) == 0
    told = json.loads(capfd.readouterr().out)["study"]["name_swap"]
    report = json.loads((out / "report" / "report.json").read_text())
    assert told == report["evaluation"]["baselines"]["rule"]["name_swap"]
    # Counted once more: a non-member's images under the names of the other subjects of their sex.
    found = read_results(out / "report")
    sex = {s.name: name_traits(s.name, 0).sex for s in PEOPLE}
    hits = total = 0
    for result in found.audit.subjects:
        if result.subject.membership == "non_member":
            own = result.subject.name
            others = {
                r.name_id
                for r in found.audit.subjects
                if sex[r.subject.name] == sex[own] and r.subject.name != own
            }
            won = set()
            for row in result.predictions:
                (first, most), *rest = Counter(row.tolist()).most_common(2)
                if not rest or rest[0][1] < most:
                    won.add(first)
            hits += len(won & others)
            total += len(others)
    assert (told["hits"], told["total"]) == (hits, total) and hits > 0
    low, high = told["ci95"]
    assert low < hits / total < high
    assert run_command(["demo", "--out", str(out)], debug=True) == 0
    line = next(x for x in capfd.readouterr().out.splitlines() if x.startswith("name-swap null"))
    assert f"({hits:,} of {total:,} pairs; 95% CI {low:.1%} to {high:.1%})" in line
    assert np.isclose(float(line.split()[2].rstrip("%")), 100 * hits / total, atol=0.06)
