"""Measure how fast masking is: ordinary logs, the hostile inputs that cost it most, and plain RE2 beside it.

Source  docs/masking.md; the logs are made, always the same, in the forms of syslog, nginx, JSON and Java
"""

from __future__ import annotations

import json
import random
import string
import time

import re2

from policies.masking import DETECTORS, choose
from policies.masking.catalogue import compiled
from policies.masking.finder import Finder
from policies.masking.redactor import Redactor
from tests.bench.figures import median
from tests.bench.run import Run
from tests.bench.table import Row, at_least

PIECE = 1 << 16
ROUNDS = 5
PEER_BYTES = 1 << 20
HOSTILE_BYTES = 1 << 18
HOSTILE = {
    "half a JWT, again and again": b"eyJhbGciOiJIUzI1NiJ9.",
    "names and signs": b"password=a ",
    "at signs": b"a@b",
    "digits": b"4111 1111 ",
    "plus signs": b"+49 ",
    "colours": b"\x1b[31mA",
    "two-byte text": b"A\0",
    "zero bytes": b"\0",
    "headers of keys": b"-----BEGIN PRIVATE KEY-----\n",
    "headers of tables": b" id | password\n",
    "lines of one token character": b"A\n",
}


def measure(run: Run) -> list[Row]:
    """Return the speed on ordinary logs, with secrets and with everything, of plain RE2, and of the worst input."""
    logs = ordinary_logs(run.scale.redact_bytes)
    run.say(f"redact: {len(logs) >> 20} MiB of ordinary logs")
    secrets, everything = Finder(compiled(choose(["secret"]))), Finder(compiled(choose()))
    speeds = [speed(secrets, logs) for _ in range(ROUNDS + 1)][1:]
    with_personal = [speed(everything, logs) for _ in range(ROUNDS + 1)][1:]
    slowest = min(
        (speed(everything, unit * (HOSTILE_BYTES // len(unit))), name) for name, unit in HOSTILE.items()
    )
    return [
        Row(
            line="redact",
            what="ordinary logs, every secret detector",
            measured=median(speeds),
            unit="MB/s",
            target=at_least(40),
            note=f"{len(secrets.detectors)} patterns, one core, 64 KiB at a time",
            runs={"MB/s": speeds},
        ),
        Row(
            line="redact",
            what="the same, personal data too",
            measured=median(with_personal),
            unit="MB/s",
            note=f"{len(everything.detectors)} patterns",
            runs={"MB/s": with_personal},
        ),
        Row(
            line="redact",
            what="RE2, one pattern after the other",
            measured=_plain_re2(logs[:PEER_BYTES]),
            unit="MB/s",
            note="the same patterns, no prefilter: what masking is measured beside",
        ),
        Row(line="redact", what="the worst hostile input", measured=slowest[0], unit="MB/s", note=slowest[1]),
    ]


def speed(finder: Finder, data: bytes) -> float:
    """Return megabytes a second of one stream through the redactor."""
    stream = Redactor(finder, key=b"bench")
    began = time.perf_counter()
    for at in range(0, len(data), PIECE):
        stream.feed(data[at : at + PIECE])
    stream.finish()
    return len(data) / (time.perf_counter() - began) / 1e6


def ordinary_logs(size: int) -> bytes:
    """Return so many bytes of log lines in six forms, always the same."""
    chance = random.Random(3)
    lines: list[str] = []
    length = 0
    while length < size:
        line = _line(chance, len(lines) % 6)
        lines.append(line)
        length += len(line) + 1
    return "\n".join([*lines, ""]).encode()


def _plain_re2(logs: bytes) -> float:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    programs = [
        re2.compile(f"(?m:{it.pattern})".encode(), options)
        for it in DETECTORS
        if it.kind == "secret" and it.pattern
    ]
    began = time.perf_counter()
    for program in programs:
        for _ in program.finditer(logs):
            pass
    return len(logs) / (time.perf_counter() - began) / 1e6


def _line(chance: random.Random, form: int) -> str:
    at = f"2026-11-24T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}Z"
    host = chance.choice(["web-1", "web-2", "db-1", "cache-3"])
    number = chance.randrange(10**6)
    match form:
        case 0:
            digest = "".join(chance.choices(string.ascii_letters + string.digits, k=43))
            accepted = "Accepted publickey for deploy from 10.0.3.7 port 4022 ssh2: ED25519"
            return f"{at} {host} sshd[{number}]: {accepted} SHA256:{digest}"
        case 1:
            path = chance.choice(
                [f"/api/v1/orders/{number}", f"/static/app.{number:x}.js", "/health", "/login"]
            )
            request = f'[24/Nov/2026:02:11:09 +0000] "GET {path} HTTP/1.1" 200 {number}'
            return f'10.1.2.3 - - {request} "-" "Mozilla/5.0 (X11; Linux x86_64)"'
        case 2:
            trace = f"{chance.randrange(1 << 128):032x}"
            return json.dumps(
                {"ts": at, "level": "info", "msg": "request completed", "trace_id": trace, "user_id": number}
            )
        case 3:
            done = f"order {number} processed in {number % 977} ms"
            return f"{at} INFO  [main-{number % 40}] com.example.orders.OrderService - {done}"
        case 4:
            renamed = f"eth0: renamed from veth{number:x}, link becomes ready"
            return f"Nov 24 02:11:09 {host} kernel: [{number}.{number:06}] {renamed}"
        case _:
            return (
                f"{at} {host} systemd[1]: Started session-{number}.scope - Session {number} of User deploy."
            )
