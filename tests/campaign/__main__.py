"""Run a campaign: kill the bastion over and over under traffic, and break all that it stands on.

In      arguments, see --help
Out     progress on stderr, the figures on stdout; exit status 1 for anything lost, left hanging or not as declared
"""

from __future__ import annotations

import argparse
import random
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.campaign.faults import FAULTS, declared
from tests.campaign.figures import PAGE, Figures, as_text, written
from tests.campaign.kills import kills
from tests.campaign.ledger import Balance
from tests.campaign.scene import Scene

KILLS = 300
_told: list[str] = []  # what went wrong, as soon as it is known


def main() -> int:
    """Return the exit status."""
    wanted = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("campaign: told to stop"))
    seed = wanted.seed if wanted.seed is not None else secrets.randbelow(2**32)
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    _say(f"seed {seed}; everything lies in {folder}")
    figures = None
    scene = Scene(folder, random.Random(seed))
    try:
        balance = kills(scene, wanted.kills, lambda done, counted: _tell(done, wanted.kills, counted))
        findings = []
        for name in wanted.faults:
            _say(f"fault {name}")
            findings.append(FAULTS[name](scene))
        figures = Figures(seed=seed, kills=wanted.kills, balance=balance, findings=findings)
    except RuntimeError as error:
        _say(str(error))
        return 2
    finally:
        scene.strike()
        if figures is not None and not figures.wrong:
            shutil.rmtree(folder)
    sys.stdout.write(as_text(figures))
    if wanted.json:
        wanted.json.write_text(figures.to_json())
    if wanted.write and not figures.wrong:
        PAGE.write_text(written(PAGE.read_text("utf-8"), figures, declared()), "utf-8")
    return 1 if figures.wrong or figures.lost else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/campaign",
        description="Kill the bastion at random points of random traffic, and break all that it stands on, one"
        " after another; then compare what every client and every target had received with what is on record.",
        epilog=f"faults: {', '.join(FAULTS)}. Most of them take root, for file systems and networks of their own.",
    )
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N", help=f"how many kills ({KILLS})")
    parser.add_argument(
        "--faults",
        nargs="*",
        choices=[*FAULTS],
        default=[*FAULTS],
        metavar="FAULT",
        help="which faults (all)",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="play the same dice again (their moments differ)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON as well")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/security.md")
    wanted = parser.parse_args()
    if wanted.write and not (wanted.kills and wanted.faults == [*FAULTS]):
        parser.error("--write takes kills and all faults: the page shows them together")
    return wanted


def _tell(done: int, of: int, balance: Balance) -> None:
    while len(_told) < len(balance.wrong):
        _told.append(balance.wrong[len(_told)])
        _say(_told[-1])
    end = "\r" if sys.stderr.isatty() and done < of else "\n"
    if end == "\n" and done % 10 and done < of:
        return
    moved = (balance.released_in + balance.released_out) / 1e6
    sys.stderr.write(
        f"campaign: {done} of {of} kills, {balance.sessions} sessions, {moved:.0f} MB released,"
        f" {balance.lost} bytes lost, {len(balance.wrong)} things wrong {end}"
    )
    sys.stderr.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"campaign: {text}\n")


sys.exit(main())
