"""Make the pictures of the live screen that docs/approvals.md shows; scripts/pictures runs this.

A real bastion holds real statements, a real ssh -t shows the screen, and what is on its terminal is drawn.

In      a folder
Out     approvals-80x24.svg, approvals-120x40.svg in it
"""

from __future__ import annotations

import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from pyte.screens import Char

from tests.integration.conftest import World
from tests.integration.hold_world import bot, holding_world, holds, person
from tests.integration.live_screen import Grid, Looking, approvals
from tests.integration.planted_values import made_up

SIZES = ((80, 24), (120, 40))
CELL_X, CELL_Y, EDGE = 8.4, 18, 10
PAPER, INK = "#11151c", "#d7dde8"
COLOURS = {
    "default": INK,
    "red": "#ff6b68",
    "green": "#7ecf7e",
    "brown": "#e5c07b",
    "magenta": "#d08fe0",
    "cyan": "#63c5cf",
    "brightblack": "#7d8799",
}
SECRET = made_up("AKIA", "Q3EGRZ7KPLMN2TXW")
POLICY = """\
[[rule]]
id = "release-jobs"
verdict = "allow"
when = { groups = ["ci"] }
match = [{ program = ["echo", "bash", "cd", "curl"] }, { flags = ["interpreter", "data", "defines"] }]

[[rule]]
id = "removals-are-four-eyes"
verdict = "approve"
match = [{ program = "rm" }]
reason = "what is removed on production is looked at by somebody else first"
approvers = { groups = ["dba"], expires = "10m", for_session = true }

[[rule]]
id = "restarts-are-four-eyes"
verdict = "approve"
match = [{ program = "systemctl" }]
reason = "restarts of production are announced"
approvers = { groups = ["dba"], expires = "15m" }

[[mask]]
id = "no-secrets"
kinds = ["secrets"]
"""
SCRIPT = f"""\
cd /var/tmp
echo 'release 8412: 3 of 9 hosts are done'
cd /var/tmp && rm -rf /srv/orders/releases/2025-11 && curl -su {SECRET}: https://deploys.acme.example/done
"""


def main(folder: Path) -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as made, holding_world(Path(made) / "world", policy=POLICY) as world:
        holds(world, "kim")
        jobs = [
            bot(world, "web-1", "systemctl restart orders"),
            bot(world, "-o", 'SetEnv="BASTION_REASON=hotfix 4211: the disk is full"', "web-1", "bash -s"),
        ]
        _wait(world, 1)
        assert jobs[1].stdin is not None
        jobs[1].stdin.write(SCRIPT.encode())
        jobs[1].stdin.flush()
        _wait(world, 2)
        for cols, rows in SIZES:
            with approvals(world, "kim", rows=rows, cols=cols) as screen:
                _look_at_the_second(screen)
                picture = svg(screen.grid)
                (folder / f"approvals-{cols}x{rows}.svg").write_text(picture)
        for hold in holds(world):
            person(world, "kim", "deny", hold["id"], "--reason", "'it was for a picture'")
        for job in jobs:
            job.communicate(timeout=20)


def _wait(world: World, count: int) -> None:
    world.until(lambda: len(holds(world)) == count)


def _look_at_the_second(screen: Looking) -> None:
    screen.sees("2 wait for an approval", "systemctl restart orders")
    screen.type("j")
    screen.sees("held for   rm -rf", "may approve and deny")


def svg(grid: Grid) -> str:
    """Return a grid of characters as a picture."""
    width, height = grid.columns * CELL_X + 2 * EDGE, grid.lines * CELL_Y + 2 * EDGE
    sizes = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    fonts = 'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {sizes} {fonts}>',
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
    ]
    for y in range(grid.lines):
        x = 0
        while x < grid.columns:
            first = grid.buffer[y][x]
            end = x + 1
            while end < grid.columns and _alike(grid.buffer[y][end], first):
                end += 1
            drawn += _run("".join(grid.buffer[y][at].data for at in range(x, end)), first, x, y, end - x)
            x = end
    return "\n".join([*drawn, "</svg>\n"])


def _run(text: str, look: Char, x: int, y: int, cells: int) -> list[str]:
    ink, paper = COLOURS.get(look.fg, INK), PAPER
    if look.reverse:
        ink, paper = PAPER, ink
    left, top, wide = EDGE + x * CELL_X, EDGE + y * CELL_Y, cells * CELL_X
    drawn = []
    if paper != PAPER:
        drawn.append(f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{CELL_Y}" fill="{paper}"/>')
    if look.underscore:
        drawn.append(f'<rect x="{left:.1f}" y="{top + 15}" width="{wide:.1f}" height="1" fill="{ink}"/>')
    shown = text.rstrip()
    if shown:
        skipped = len(shown) - len(shown.lstrip())
        shown = shown.lstrip()
        bold = ' font-weight="bold"' if look.bold else ""
        drawn.append(
            f'<text x="{left + skipped * CELL_X:.1f}" y="{top + 13}" fill="{ink}"{bold} xml:space="preserve" '
            f'textLength="{len(shown) * CELL_X:.1f}" lengthAdjust="spacingAndGlyphs">{escape(shown)}</text>'
        )
    return drawn


def _alike(one: Any, other: Any) -> bool:
    return bool(one._replace(data="") == other._replace(data=""))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
