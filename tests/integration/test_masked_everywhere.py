"""What was planted in a session, wherever that may be, is nowhere on the bastion's disk afterwards (T41)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

import pytest

from tests.integration.conftest import World
from tests.integration.gate_world import adopt
from tests.integration.hold_world import POLICY, bot, ends, holding_world, person, waiting
from tests.integration.planted_values import made_up
from tests.planted.stream import planted

# Made up, each for one place, and cut in two so that nobody takes this file for a leak.
PLANTED = {
    name: made_up("AKIA", letters)
    for name, letters in {
        "output": "Q3EGRZ7KPLMN2TXW",
        "error": "Q4EGRZ7KPLMN2TXW",
        "input": "Q5EGRZ7KPLMN2TXW",
        "statement": "Q6EGRZ7KPLMN2TXW",
        "script": "Q7EGRZ7KPLMN2TXW",
        "file": "Q2FGRZ7KPLMN2TXW",
        "folder": "Q2HGRZ7KPLMN2TXW",
        "environment": "Q2JGRZ7KPLMN2TXW",
        "stated": "Q2KGRZ7KPLMN2TXW",
        "approved": "Q2LGRZ7KPLMN2TXW",
        "refused": "Q2MGRZ7KPLMN2TXW",
        "denied": "Q2NGRZ7KPLMN2TXW",
        "alert": "Q2PGRZ7KPLMN2TXW",
        "held": "Q2RGRZ7KPLMN2TXW",
    }.items()
}
MASKED = (
    POLICY
    + """
[[rule]]
id = "files"
verdict = "allow"
match = [{ operation = ["upload", "download", "list", "stat", "mkdir", "setstat"] }, { reads = "glob:**" },
  { writes = "glob:**" }]

[[rule]]
id = "tell-of-true"
verdict = "allow"
match = [{ program = "true" }]
notify = true

[[mask]]
id = "no-secrets"
kinds = ["secrets"]
"""
)

ALL = '[[rule]]\nid = "all"\nverdict = "allow"\n\n'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(tmp_path_factory.mktemp("everywhere")) as made:
        adopt(made, MASKED)
        yield made


def test_t41_nothing_that_was_planted_is_on_disk_afterwards(world: World) -> None:
    p = PLANTED
    world.ssh("web-1", f"echo {p['output']}; echo {p['error']} >&2")
    world.ssh("web-1", "cat > /dev/null", stdin=f"key {p['input']}\n".encode())
    world.ssh("web-1", "bash -s", stdin=f"echo {p['script']} > /dev/null\n".encode())
    world.ssh("web-1", f"true {p['statement']}; true {p['alert']}")
    world.ssh("web-1", f"mkdir /tmp/{p['denied']}; cat /tmp/{p['denied']}")
    world.ssh("-o", f"SetEnv=LC_KEY={p['environment']}", "web-1", "true")
    folder = world.folder / p["folder"]
    folder.mkdir()
    (folder / p["file"]).write_text("content\n")
    for words in ((), ("-O",)):
        world.run("scp", *words, "-F", "ssh_config", f"web-1:{folder}/{p['file']}", "copied")
        world.run("scp", *words, "-F", "ssh_config", "copied", f"web-1:{folder}/{p['file']}")
    for verb in ("approve", "deny"):
        program = bot(
            world, "-o", f"SetEnv=BASTION_REASON=for-{p['stated']}", "web-1", f"touch /dev/null {p['held']}"
        )
        (hold,) = waiting(world)
        key = p["approved"] if verb == "approve" else p["refused"]
        done = person(world, "alex", verb, hold["id"], "--reason", f"'the key {key} is yours'")
        assert done.returncode == 0, done.stderr
        ends(program)
    world.stage.stop_bastion()
    texts = list(everything(world))
    found = sorted(name for name, secret in p.items() if any(secret.encode() in text for text in texts))
    world.stage.start_bastion()
    assert found == []


def everything(world: World) -> Iterator[bytes]:
    """Yield each file that the bastion has, and each event of its recordings as it is once it is unpacked."""
    for path in [*(world.folder / "var").rglob("*"), world.stage.journal]:
        if path.is_file():
            yield path.read_bytes()
    for row in world.sessions():
        for event in world.events(row["id"]):
            yield json.dumps(event, ensure_ascii=False).encode()
            if "base64" in event:
                yield base64.b64decode(event["base64"])
    for entry in world.audit():
        yield json.dumps(entry).encode()


@pytest.mark.parametrize(
    ("statement", "shows"),
    [
        ("password=$(echo curl evil|cat)", rb"password=\$\(echo curl evil\|cat\)"),
        ("password=`echo evil`", rb"password=`echo evil`"),
        ("echo -----BEGIN RSA PRIVATE KEY-----; echo ran", rb"echo ran"),
        ("echo '-----BEGIN RSA PRIVATE KEY-----'\necho next", rb"echo next"),
        ("password=x;echo ran", rb";echo ran"),
        ("echo token=abc|cat", rb"\|cat"),
    ],
)
def test_t41_no_mask_hides_what_ran(world: World, statement: str, shows: bytes) -> None:
    adopt(world, ALL + MASKED)
    world.ssh("web-1", statement)
    events = world.events(world.ended_session()["id"])
    request = next(event for event in events if event["kind"] == "request")
    text = base64.b64decode(request["base64"]) if "base64" in request else request["text"].encode()
    assert re.search(shows, text), text


def test_t41_a_nul_before_a_script_hides_nothing_of_it(world: World) -> None:
    adopt(world, ALL + '[[mask]]\nid = "no-secrets"\nkinds = ["secrets"]\n')
    world.ssh("web-1", "bash -s", stdin=b"\0echo first\necho second\n")
    events = world.events(world.ended_session()["id"])
    told = b"".join(
        base64.b64decode(event["base64"]) if "base64" in event else event.get("text", "").encode()
        for event in events
        if event["kind"] == "input"
    )
    assert told == b"\0echo first\necho second\n"


def test_t39_what_comes_live_is_what_redact_makes_of_it(world: World) -> None:
    adopt(world, MASKED)
    data, _places = planted(200_000)
    (world.folder / "stream").write_bytes(data)
    live = world.ssh("web-1", f"cat {world.folder}/stream")
    offline = world.bastion("redact", "--kinds", "secret", "--report", "none", stdin=data)
    assert offline.returncode == 0
    assert live.stdout == offline.stdout
    assert live.stdout != data
