"""The bench runs: what it measures with little of everything is laid out, and its exit status follows the table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PATIENCE_S = 240
ROOT = Path(__file__).resolve().parents[2]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end; if the test ends before, it is told to end, and cleans up."""
    command = [sys.executable, "-m", "tests.bench", *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            printed, said = process.communicate(timeout=PATIENCE_S)
        finally:
            process.terminate()
    return subprocess.CompletedProcess(command, process.returncode, printed, said)


def test_a_quick_run_measures_both_ways_and_watches_the_loop(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    lines = ["--only", "connect,soak", "--soak-seconds", "1"]
    done = bench("--quick", *lines, "--folder", str(tmp_path), "--json", str(report))
    assert report.exists(), done.stderr
    found = json.loads(report.read_text())
    assert found["failed"] == {}, done.stderr
    rows = {row["figure"]: row for row in found["rows"]}
    connect = rows["connect and run true, p50, in parts of the jump's"]
    assert {side: len(times) for side, times in connect["runs"].items()} == {"bastion": 3, "jump": 3}
    assert rows["failures, 4 sessions a second for 1 s"]["measured"] == 0, done.stderr
    counts = rows["longest loop callback, soak"]["runs"]["histogram"]["counts"]
    assert sum(counts.values()) > 100, "four sessions take more callbacks than that"
    assert done.returncode == (0 if all(row["met"] is not False for row in found["rows"]) else 1)
    assert "connect and run true" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"], "the bench cleans up"


def test_wrong_usage_is_said_and_has_a_status_of_its_own() -> None:
    done = bench("--only", "connect,nonsense")
    assert done.returncode == 2
    assert "no line nonsense; there are: connect, bulk" in done.stderr
    assert bench("--write", "--quick").returncode == 2
