"""Run the bench from the command line.

Out     the table on standard output, how far it is on standard error; the JSON file if one was asked for
Errors  exit status 0: every target is met; 1: one is not, or something could not be measured; 2: wrong usage
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bastion.errors import OperatorError
from tests.bench.faults import BenchFault
from tests.bench.figures import Histogram
from tests.bench.lines import LINES
from tests.bench.machine import file_system, head_line, machine_facts
from tests.bench.page import PAGE, with_figures, with_profile
from tests.bench.run import Run
from tests.bench.scale import FULL, QUICK
from tests.bench.stacks import profile
from tests.bench.table import Row, all_met, rows_json, table_text


def main(words: Sequence[str] | None = None) -> int:
    """Measure what was asked for; return the exit status."""
    parser = _parser()
    chosen = parser.parse_args(words)
    if chosen.write and (chosen.quick or chosen.only):
        parser.error("--write is for a whole run: without --quick and --only")
    run_lines = chosen.only or list(LINES)
    scale = QUICK if chosen.quick else FULL
    if chosen.soak_seconds is not None:
        scale = replace(scale, soak_s=chosen.soak_seconds)
    options = "\n  ".join(chosen.option)
    with tempfile.TemporaryDirectory(prefix="bastion-bench-", dir=chosen.folder) as place:
        folder = Path(place).resolve()
        run = Run(scale=scale, folder=folder, options=options)
        facts = machine_facts(folder)
        run.say(head_line(facts))
        if file_system(folder) == "tmpfs":
            run.say("files lie in memory, where an fsync costs nothing: choose a disk with --folder")
        if chosen.profile:
            return _profile(run, write=chosen.write)
        rows, failed = _measure(run, run_lines)
    facts["load_at_end"] = os.getloadavg()[0]
    print(f"{head_line(facts)}, {facts['load_at_end']:.1f} at the end\n")
    print(table_text(rows))
    for row in rows:
        if row.line == "soak" and "seconds" in row.runs:
            print(
                "\n".join(
                    ["", "soak: from when it was due", *Histogram.from_json(row.runs["histogram"]).lines()]
                )
            )
    if chosen.write:
        PAGE.write_text(with_figures(PAGE.read_text("utf-8"), facts, rows), "utf-8")
    if chosen.quick:
        print("\nA quick run shows that the bench works; its figures mean little.")
    if chosen.json is not None:
        report = {
            "machine": facts,
            "quick": chosen.quick,
            "client_options": chosen.option,
            "rows": rows_json(rows),
            "failed": failed,
        }
        chosen.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all_met(rows) and not failed else 1


def _measure(run: Run, names: Sequence[str]) -> tuple[list[Row], dict[str, str]]:
    """Run each line; one that cannot be measured is said, and the others go on."""
    rows: list[Row] = []
    failed: dict[str, str] = {}
    for name in LINES:
        if name in names:
            try:
                rows += LINES[name](run)
            except (BenchFault, OperatorError, OSError, TimeoutError) as fault:
                failed[name] = str(fault)
                run.say(f"{name}: could not be measured: {fault}")
    return rows, failed


def _profile(run: Run, *, write: bool) -> int:
    try:
        text = profile(run)
    except (BenchFault, OperatorError, OSError) as fault:
        run.say(f"profile: {fault}")
        return 1
    print(text)
    if write:
        PAGE.write_text(with_profile(PAGE.read_text("utf-8"), text), "utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the bastion beside an OpenSSH sshd used as a plain jump host: ratios of medians of "
        "alternating runs. docs/performance.md says what each line is.",
        epilog="Exit status: 0 when every target is met, 1 when one is not, 2 for wrong usage.",
    )
    parser.add_argument(
        "--only", type=_lines, metavar="LINE,...", help=f"only these lines of: {', '.join(LINES)}"
    )
    parser.add_argument("--quick", action="store_true", help="little of everything: to see that it works")
    parser.add_argument(
        "--profile", action="store_true", help="say instead where the bastion spends its time in bulk"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the table, or the profile, on docs/performance.md"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the table, and what it is made from, as JSON"
    )
    parser.add_argument("--soak-seconds", type=float, metavar="N", help="how long the soak takes (600)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to put files; must be on a disk")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="'Name value'",
        help="an ssh_config line for the clients of both sides, such as 'Ciphers aes128-gcm@openssh.com'",
    )
    return parser


def _lines(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in LINES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no line {', '.join(unknown)}; there are: {', '.join(LINES)}")
    return names


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # what was started is ended, and its files removed
    sys.exit(main())
