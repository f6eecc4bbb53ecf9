"""What is masked for the bot is masked in the recording too, and what ran is never hidden (L10; T25, T38, T41)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import World
from tests.integration.planted_values import made_up

# Made up, and cut in two so that nobody takes this file for a leak.
PASSES = "AKIA" + "Q9EGRZ7KPLMN2TXW"  # an exception lets it pass, so that it is on record
KEY_ID = made_up("AKIA", "Q3EGRZ7KPLMN2TXW")
PASSWORD = made_up("c0rrect-", "h0rse-Battery9")
MAIL = "sam.doe@" + "example.org"
POLICY = """\
[[rule]]
id = "all"
verdict = "allow"
when = { access = ["exec", "shell", "sftp"] }

[[mask]]
id = "no-secrets"
kinds = ["secrets"]

[[mask]]
id = "count-people"
kinds = ["personal"]
action = "detect"
"""


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("masked"))
    world.ready()
    world.rewrite_policy(POLICY)
    assert world.reload()["kind"] == "configuration.reloaded"
    yield world
    world.strike()


def recorded(world: World, kind: str) -> bytes:
    """Return all bytes of one kind in the newest session."""
    row = world.ended_session()
    return b"".join(content(event) for event in world.events(row["id"]) if event["kind"] == kind)


def content(event: dict[str, Any]) -> bytes:
    return base64.b64decode(event["base64"]) if "base64" in event else event.get("text", "").encode()


def test_l10_t25_output_and_stderr_are_masked_for_the_bot_and_in_the_recording(masked: World) -> None:
    (masked.folder / "secrets").write_text(
        f"aws_access_key_id = {KEY_ID}\npassword: {PASSWORD}\nuser {MAIL}\n"
    )
    done = masked.ssh("web-1", f"cat {masked.folder}/secrets; cat {masked.folder}/secrets >&2; echo end")
    for out in (done.stdout, done.stderr):
        assert KEY_ID.encode() not in out
        assert PASSWORD.encode() not in out
        assert b"aws_access_key_id = [aws-access-key]\n" in out
        assert MAIL.encode() in out  # counted, and let through
    assert done.stdout.endswith(b"end\n")
    assert recorded(masked, "output") == done.stdout
    assert recorded(masked, "error") == done.stderr
    exposure = masked.ended_session()["exposure"]
    assert exposure["aws-access-key"] == {"redact": 2}
    assert exposure["email"] == {"detect": 2}


def test_t38_a_secret_that_comes_in_pieces_is_masked(masked: World) -> None:
    halves = f"printf 'id={KEY_ID[:9]}'; sleep 0.3; printf '{KEY_ID[9:]}\\n'; echo end"
    done = masked.ssh("web-1", halves)
    assert done.stdout == b"id=[aws-access-key]\nend\n"


def test_a_prompt_without_a_newline_comes_at_once(masked: World) -> None:
    program = masked.start("ssh", "-F", "ssh_config", "web-1", "printf 'name? '; read x; echo hello $x")
    assert program.stdout is not None
    assert program.stdin is not None
    assert program.stdout.read(6) == b"name? "
    program.stdin.write(b"sam\n")
    program.stdin.close()
    assert program.stdout.read() == b"hello sam\n"
    assert program.wait(20) == 0


def test_l3_l10_input_reaches_the_target_as_it_is_and_the_recording_masked(masked: World) -> None:
    lines = f"export AWS_SECRET={PASSWORD}\nid {KEY_ID}\n".encode()
    done = masked.ssh("web-1", f"cat > {masked.folder}/got; wc -c < {masked.folder}/got", stdin=lines)
    assert int(done.stdout) == len(lines)
    assert (masked.folder / "got").read_bytes() == lines
    kept = recorded(masked, "input")
    assert KEY_ID.encode() not in kept
    assert b"id [aws-access-key]\n" in kept


def test_l10_a_command_is_masked_in_the_record_and_what_ran_shows(masked: World) -> None:
    masked.ssh("web-1", f"echo --password={PASSWORD} > /dev/null; password=$(echo evil | cat); true {KEY_ID}")
    asked = recorded(masked, "request")
    assert PASSWORD.encode() not in asked
    assert KEY_ID.encode() not in asked
    assert b"password=$(echo evil | cat); true [aws-access-key]" in asked


def test_binary_output_passes_unchanged(masked: World) -> None:
    blob = bytes(range(256)) * 3000
    (masked.folder / "blob").write_bytes(blob)
    assert masked.ssh("web-1", f"cat {masked.folder}/blob").stdout == blob


def test_exposure_says_what_was_masked_and_what_passed(masked: World) -> None:
    masked.ssh("web-1", f"echo {KEY_ID}; echo {MAIL}; echo {MAIL}")
    session = masked.ended_session()["id"]
    shown = masked.bastion("show", session).stdout.decode()
    assert "exposed   aws-access-key 2 masked; email 4 passed" in shown  # the command is on record too
    done = masked.responder("exposure", "--since", "1h", "--by", "session", "--json")
    row = next(row for row in json.loads(done.stdout) if row["session"] == session)
    assert (row["masked"], row["passed"], row["sessions"]) == (2, 4, 1)
    assert row["detectors"]["email"] == {"masked": 0, "passed": 4}
    for by in ("identity", "owner", "target", "detector"):
        table = masked.bastion("exposure", "--by", by).stdout.decode().splitlines()
        assert table[0].split()[:3] == [by, "passed", "masked"]
        assert len(table) > 1


def test_t41_none_of_it_is_anywhere_on_disk(masked: World) -> None:
    masked.stage.stop_bastion()
    for path in [*(masked.folder / "var").rglob("*"), masked.stage.journal]:
        data = path.read_bytes() if path.is_file() else b""
        assert KEY_ID.encode() not in data, path
        assert PASSWORD.encode() not in data, path
    masked.stage.start_bastion()


def test_exceptions_let_named_values_and_files_pass_and_known_values_never(masked: World) -> None:
    card, known = "4111 1111 " + "1111 1111", "a known value with " + "spaces"
    hashed = masked.bastion("hash-value", stdin=b"just-one-word-" + b"of-mine")
    assert hashed.returncode == 0, hashed.stderr
    values = masked.folder / "known-values"
    values.write_text(f"{known}\n")
    values.chmod(0o600)
    (masked.folder / "handbook").write_text(f"{MAIL}\n{PASSES}\n{known}\njust-one-word-of-mine\n")
    policy = (masked.folder / "policy.toml").read_text()
    configuration = masked.stage.config.read_text()
    mail = masked.bastion("hash-value", stdin=b"kim.lee@example.net\n").stdout.decode().strip()
    exceptions = f"""
[[exception]]
id = "handbook"
kinds = "secrets"
reads = "{masked.folder}/handbook"

[[mask]]
id = "no-mail"
detectors = "email"

[[exception]]
id = "kim"
detectors = "email"
values = ["{mail}"]
"""
    masked.rewrite_policy(policy + exceptions)
    named = f'[policy]\nknown_values = "known-values"\nknown_hashes = ["{hashed.stdout.decode().strip()}"]\n'
    masked.rewrite_config(lambda text: text.replace("[policy]\n", named))
    assert masked.reload()["kind"] == "configuration.reloaded"
    try:
        done = masked.ssh("web-1", f"cat {masked.folder}/handbook")
        assert done.stdout.decode() == f"[email]\n{PASSES}\n[known-value]\n[known-value]\n"
        assert masked.ended_session()["exposure"]["aws-access-key"] == {"detect": 1}
        more = masked.ssh("web-1", f"cat {masked.folder}/handbook; echo kim.lee@example.net; echo {card}")
        assert more.stdout.decode() == (
            f"[email]\n[aws-access-key]\n[known-value]\n[known-value]\nkim.lee@example.net\n{card}\n"
        )
    finally:
        masked.rewrite_policy(policy)
        masked.rewrite_config(lambda _text: configuration)
        assert masked.reload()["kind"] == "configuration.reloaded"
