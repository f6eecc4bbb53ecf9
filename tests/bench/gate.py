"""Measure the gate: how long one statement takes to be understood and judged, and how fast a script gets through.

The shipped baseline is loaded as a whole. Plain statements are those that one parser is enough for.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from policies.document import parse_policy
from policies.shell import analyse, doubtful, quick
from policies.source import read_source
from tests.bench.figures import median, quantile
from tests.bench.ground import Side
from tests.bench.run import Run
from tests.bench.table import Row, at_least, at_most

BASELINE = "library:baseline"
PLAIN_P50_S, PLAIN_P99_S, SECOND_P99_S = 300e-6, 2e-3, 15e-3
LINES_PER_S = 1_500

PLAIN = (
    "ls -la /srv/releases",
    "systemctl restart nginx",
    "sudo apt-get install -y curl",
    "cd /srv/app && git pull --ff-only",
    "docker compose -f /srv/app/compose.yaml up -d",
    "kubectl -n web rollout status deployment/web --timeout=120s",
    'grep -r "listen 80" /etc/nginx | head -n 5',
    "tar czf /tmp/app.tgz --exclude=.git -C /srv app",
    "find /var/log -name '*.gz' -mtime +30 -exec rm {} \\;",
    "curl -fsS https://health.example.com/ready > /dev/null || exit 1",
    'for f in /srv/app/*.sql; do psql -f "$f"; done',
    'if [ -f /srv/app/.env ]; then . /srv/app/.env; fi; echo "$APP_ENV"',
    "rsync -a --delete build/ deploy@web-2:/srv/releases/42/",
    "ps aux | awk '{ print $2 }' | sort -n | tail -n 1",
    'echo "$(date -u +%FT%TZ) deployed $(git rev-parse HEAD)" >> /var/log/deploy.log',
)
SECOND = (
    "docker run --rm \\\n  -v /srv:/srv\\\n:ro busybox ls /srv",
    "echo `hostname` `date` `uptime`",
    "ls /srv/re\\\nleases",
    "cat > /tmp/note <<'END'\nhello\nEND",
)
SCRIPT_LINES = (
    "echo {n}",
    "test -d /srv",
    "true",
    "cd /tmp",
    "echo step {n} > /dev/null",
    "umask 022",
    "x={n}",
    ": {n}",
)


def measure(run: Run) -> list[Row]:
    """Return how long a verdict takes, and how many lines of a script get through."""
    return [*_verdicts(run), *_scripts(run)]


def _verdicts(run: Run) -> list[Row]:
    policy = parse_policy([read_source(BASELINE, Path())])
    run.say(f"gate: {run.scale.gate_rounds} times {len(PLAIN)} plain statements, {len(policy.rules)} rules")
    plain = _times(PLAIN, run.scale.gate_rounds, lambda source: policy.judge_alone(quick(source)))
    assert not any(doubtful(text.encode()) for text in PLAIN)
    assert all(doubtful(text.encode()) for text in SECOND)
    rounds = max(10, run.scale.gate_rounds // 10)
    run.say(f"gate: {rounds} times {len(SECOND)} statements for both parsers")
    second = _times(SECOND, rounds, lambda source: policy.judge_alone(analyse(source)))
    peer = _times(SECOND, rounds, _formatted)
    note = f"{len(plain)} statements, {len(policy.rules)} rules"
    runs = {"plain_s": plain, "second_s": second}
    return [
        _row("parse, facts and verdict, plain statements, p50", median(plain), PLAIN_P50_S, note, runs),
        _row("the same, p99", quantile(plain, 0.99), PLAIN_P99_S),
        _row("the same where both parsers are asked, p99", quantile(second, 0.99), SECOND_P99_S,
             f"{len(second)} statements; shfmt alone {median(peer) * 1e3:.1f} ms p50"),
    ]  # fmt: skip


def _row(
    what: str, seconds: float, most: float, note: str = "", runs: dict[str, list[float]] | None = None
) -> Row:
    return Row(
        line="gate",
        what=what,
        measured=seconds * 1e3,
        unit="ms",
        target=at_most(most * 1e3),
        note=note,
        runs=runs or {},
    )


def _times(statements: Sequence[str], rounds: int, judge: Callable[[bytes], object]) -> list[float]:
    found: list[float] = []
    for number in range(rounds + 1):
        for text in statements:
            source = text.encode()
            began = time.perf_counter()
            judge(source)
            took_s = time.perf_counter() - began
            if number:
                found.append(took_s)
    return found


def _formatted(source: bytes) -> None:
    """Let the second parser's program do the least it can: the peer of what is asked of it."""
    shfmt = Path(sys.executable).with_name("shfmt")
    subprocess.run([str(shfmt), "-ln", "bash"], input=source, stdout=subprocess.DEVNULL, check=True)


def _scripts(run: Run) -> list[Row]:
    count = run.scale.gate_lines
    script = "".join(SCRIPT_LINES[n % len(SCRIPT_LINES)].format(n=n) + "\n" for n in range(count)).encode()
    expected = count // len(SCRIPT_LINES)
    rates: dict[str, list[float]] = {}
    with run.ground(policies=(BASELINE,)) as ground:
        for number in range(run.scale.gate_scripts + 1):
            for side in ground.sides:
                run.say(f"gate: {count} lines to bash -s by the {side.name}")
                rate = count / _piped(side, script, expected)
                if number:
                    rates.setdefault(side.name, []).append(rate)
    ours, theirs = median(rates["bastion"]), median(rates["jump"])
    return [
        Row(line="gate", what=f"{count} plain lines to bash -s, a second", measured=ours, unit="/s",
            target=at_least(LINES_PER_S), note=f"the jump {theirs:,.0f}/s", runs=rates),
    ]  # fmt: skip


def _piped(side: Side, script: bytes, expected: int) -> float:
    began = time.perf_counter()
    answer = side.run("bash", "-s", stdin=script)
    took_s = time.perf_counter() - began
    found = len([line for line in answer.split() if line])
    assert found >= expected, f"{side.name}: {found} answers, not {expected}"
    return took_s
