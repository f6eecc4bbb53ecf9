"""bastion redact: the engine on standard input, without a configuration."""

from __future__ import annotations

import json
import subprocess
import sys

from policies.masking.detector import made
from tests.unit.policies.masking.streams import masked, planted

TOKEN = "ghp_" + made(36)
TEXT = f"one\ntoken: {TOKEN} x\nmail alice@example.com\n"


def _redact(text: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "bastion", "redact", *words], input=text, capture_output=True, timeout=60
    )


def test_it_masks_standard_input_and_says_where() -> None:
    done = _redact(TEXT.encode())
    assert done.returncode == 0
    assert done.stdout == b"one\ntoken: [github-token] x\nmail [email]\n"
    assert done.stderr.decode().splitlines() == [
        "line 2, column 8: github-token, 40 bytes",
        "line 3, column 6: email, 17 bytes",
        "redact: 2 found: 1 github-token, 1 email",
    ]


def test_the_report_as_json_never_has_the_value() -> None:
    done = _redact(TEXT.encode(), "--report", "json", "--kinds", "secret")
    assert json.loads(done.stderr) == {
        "hits": [
            {
                "detector": "github-token",
                "kind": "secret",
                "action": "redact",
                "line": 2,
                "column": 8,
                "length": 40,
            }
        ]
    }
    assert TOKEN[4:].encode() not in done.stderr
    assert json.loads(_redact(b"nothing\n", "--report", "json").stderr) == {"hits": []}


def test_it_gives_what_the_redactor_gives() -> None:
    stream, _ = planted()
    done = _redact(stream, "--report", "none")
    assert done.stdout == masked(stream)[0]
    assert done.stderr == b""


def test_wrong_words_are_said_in_one_line() -> None:
    for words, says in (
        (["--detectors", "emial"], "there is no detector 'emial'"),
        (["--kinds", "x"], "there is no kind 'x'"),
    ):
        done = _redact(b"", *words)
        assert done.returncode == 2
        assert says in done.stderr.decode()
        assert b"Traceback" not in done.stderr


def test_it_lists_the_detectors() -> None:
    listed = _redact(b"", "--list").stdout.decode()
    assert "aws-access-key" in listed
    assert "payment-card" in listed
