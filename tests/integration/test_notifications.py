"""People are told where they are, and answer from there; nobody else can (T36)."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import World
from tests.integration.hold_world import PERSONS, POLICY, bot, ends, entries, holding_world, holds, waiting
from tests.integration.receiver_world import (
    DANA_KEY,
    Receiver,
    Signer,
    channels,
    http,
    of_kind,
    receiving,
    slack_press,
)

DENYING = """
[[rule]]
id = "no-drops"
verdict = "deny"
match = [{ program = "dropdb" }]
reason = "databases stay"
severity = "high"

[[rule]]
id = "cats-are-watched"
verdict = "allow"
match = [{ program = "cat" }]
notify = true
severity = "low"
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A world with people who are told, and where they answer."""

    world: World
    receiver: Receiver
    url: str


def free_port() -> int:
    """Return a port that nobody has, and that no connection of anybody gets while a bastion restarts."""
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def start(told: Told) -> None:
    """Start the bastion, and wait until it takes answers."""
    told.world.stage.start_bastion()

    def takes() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", int(told.url.rpartition(":")[2]))) == 0

    told.world.until(takes)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "workers"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, port = tmp_path_factory.mktemp("told"), free_port()
    (folder / "secrets").mkdir()
    made = holding_world(folder / "world", workers=request.param, policy=POLICY + DENYING)
    with receiving() as receiver, made as world:
        world.rewrite_config(channels(receiver, folder / "secrets", port))
        world.stage.stop_bastion()  # the listener takes a restart
        started = Told(world, receiver, f"http://127.0.0.1:{port}")
        start(started)
        yield started


@pytest.fixture(autouse=True)
def certificates_in_time(told: Told) -> None:
    """Renew what lives ten minutes: the stories together may take longer."""
    told.world.certify("key", "deploy")
    for name in PERSONS:
        told.world.certify(name, "responder", sub=f"{name}-laptop", environment=None)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that is there if a held statement has run."""
    return tmp_path / "mark"


def test_a_webhook_is_told_of_a_hold_and_its_program_approves_it(told: Told, mark: Path) -> None:
    world, receiver = told.world, told.receiver
    held = bot(world, "web-1", f"touch {mark}; echo done")
    (seen,) = waiting(world)
    asked = world.until(
        lambda: [one for one in receiver.of("hold.asked") if one["data"]["hold"]["id"] == seen["id"]]
    )
    (payload,) = asked
    assert payload["data"]["statement"] == f"touch {mark}; echo done"
    assert payload["data"]["hold"]["rule"] == ["touch-is-four-eyes"]
    assert not mark.exists()
    status, said = Signer(url=told.url).send({"hold": seen["id"], "answer": "approve", "reason": "seen it"})
    assert (status, said) == (
        200,
        {"hold": seen["id"], "state": "approved", "said": "approved by kim@acme.example: seen it"},
    )
    status, out, _told = ends(held)
    assert (status, out, mark.exists()) == (0, b"done\n", True)
    world.until(lambda: [one for one in receiver.of("hold.ended") if one["data"]["hold"]["id"] == seen["id"]])
    answered = next(one for one in entries(world, seen["id"]) if one["kind"] == "hold.answered")
    assert answered["detail"]["by"] == "kim@acme.example by a signed answer from 127.0.0.1"
    notified = world.until(
        lambda: (
            len(found := [d for d in of_kind(world, "hold.notified") if d["hold"] == seen["id"]]) == 3
            and found
        )
    )
    assert {(one["channel"], one["event"], one["outcome"]) for one in notified} == {
        ("ops-hook", "hold.asked", "delivered"),
        ("ops-slack", "hold.asked", "delivered"),
        ("ops-hook", "hold.ended", "delivered"),
    }
    assert world.bastion("verify", "--all").returncode == 0


def test_a_program_denies_and_the_bot_is_told_why(told: Told, mark: Path) -> None:
    held = bot(told.world, "web-1", f"touch {mark}")
    (seen,) = waiting(told.world)
    status, _said = Signer(url=told.url).send({"hold": seen["id"], "answer": "deny", "reason": "not today"})
    assert status == 200
    status, _out, said = ends(held)
    assert (status, mark.exists()) == (126, False)
    assert "denied by kim@acme.example: not today" in said


def test_t36_answers_that_are_replayed_forged_or_late_have_no_effect(told: Told, mark: Path) -> None:
    world = told.world
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    approve = {"hold": seen["id"], "answer": "approve"}
    kim = Signer(url=told.url)
    forged = Signer(url=told.url, key="another-key-that-nobody-has-0123456789")
    stranger = Signer(url=told.url, person="nobody@acme.example")
    owner = Signer(url=told.url, person="dana@acme.example", key=DANA_KEY)
    as_kim = Signer(url=told.url, key=DANA_KEY)
    answers = {
        "forged": (forged.send(approve), 401, "the signature does not hold"),
        "stranger": (
            stranger.send(approve),
            401,
            "no person of that name (bastion-person) has a key for answers",
        ),
        "a key is its person's": (as_kim.send(approve), 401, "the signature does not hold"),
        "too old": (kim.send(approve, at=1_000_000_000), 401, "more than 300 s away"),
        "owner": (owner.send(approve), 409, "dana@acme.example owns orders-deployer"),
        "unknown": (kim.send({"hold": "H-ZZZZ", "answer": "approve"}), 409, "there is no hold H-ZZZZ"),
        "odd": (kim.send({"hold": seen["id"], "answer": "maybe"}), 400, "expected"),
        "without a reason": (kim.send({"hold": seen["id"], "answer": "deny"}), 400, "reason says why"),
    }
    for name, ((status, said), expected, why) in answers.items():
        assert (status, why in said["error"]) == (expected, True), (name, status, said)
    body, headers = kim.request(approve)
    altered, _ = http(f"{told.url}/answers", body.replace(b"approve", b"approve "), headers)
    assert altered == 401
    assert held.poll() is None
    assert not mark.exists()
    assert http(f"{told.url}/answers", body, headers)[0] == 200
    assert ends(held)[0] == 0
    again = bot(world, "web-1", f"touch {mark}.again")
    (other,) = waiting(world)
    status, said_again = http(f"{told.url}/answers", body, headers)
    assert (status, b"taken before" in said_again) == (401, True)
    late, said_late = kim.send(approve)
    assert (late, "waits no more" in said_late["error"]) == (409, True)
    assert kim.send({"hold": other["id"], "answer": "deny", "reason": "no"})[0] == 200
    assert ends(again)[0] == 126
    reasons = [detail["reason"] for detail in of_kind(world, "answer.refused")]
    for why in ("the signature does not hold", "taken before", "nobody@acme.example"):
        assert any(why in reason for reason in reasons), reasons
    refused = [detail["reason"] for detail in of_kind(world, "hold.answer-refused")]
    assert any("dana@acme.example owns" in reason for reason in refused)


def test_t36_slack_answers_for_its_users_by_its_signature_and_their_alias(told: Told, mark: Path) -> None:
    world, receiver = told.world, told.receiver
    held = bot(world, "web-1", f"touch {mark}; echo '<!channel>'")
    (seen,) = waiting(world)
    (message,) = world.until(lambda: [one for one in receiver.slack() if seen["id"] in one["text"]])
    texts = [block["text"] for block in message["blocks"] if "text" in block]
    assert all((text["type"], text["emoji"]) == ("plain_text", False) for text in texts)
    assert any(f"› touch {mark}; echo '<!channel>'" in text["text"] for text in texts), "shown as it is"
    reply = f"{receiver.url}/reply"
    url = f"{told.url}/slack/ops-slack"

    def press(user: str, action: str = "bastion-approve", **options: str) -> str:
        before = len([one for one in receiver.requests if one.path == "/reply"])
        assert http(url, *slack_press(message, action, user, reply, **options)) == (200, b"")
        (_, *_others, last) = world.until(
            lambda: (
                len(found := [one for one in receiver.requests if one.path == "/reply"]) > before
                and [0, *found]
            )
        )
        assert last.json["response_type"] == "ephemeral"
        return str(last.json["text"])

    assert "nobody's alias for ops-slack" in press("U0NOBODY")
    assert "dana\\x40acme.example owns orders-deployer" in press("U0DANA")
    body, headers = slack_press(message, "bastion-approve", "U0KIM", reply, secret="not Slack's secret")
    assert http(url, body, headers)[0] == 401
    assert (
        http(f"{told.url}/slack/ops-hook", *slack_press(message, "bastion-approve", "U0KIM", reply))[0] == 401
    )
    assert held.poll() is None
    body, headers = slack_press(message, "bastion-approve", "U0KIM", reply)
    assert http(url, body, headers) == (200, b"")
    assert ends(held)[0] == 0
    assert http(url, body, headers)[0] == 401, "the very same press again"
    answered = next(one for one in entries(world, seen["id"]) if one["kind"] == "hold.answered")
    assert answered["detail"]["person"] == "kim@acme.example"
    assert answered["detail"]["by"] == "Slack user U0KIM in ops-slack, from 127.0.0.1"
    assert any("Slack user U0NOBODY" in detail["reason"] for detail in of_kind(world, "answer.refused"))
    assert "waits no more" in press("U0KIM", "bastion-deny")


def test_denials_and_alerts_are_told_and_a_bot_in_a_loop_does_not_flood(told: Told) -> None:
    world, receiver = told.world, told.receiver
    assert world.ssh("web-1", "dropdb orders").returncode == 126
    assert world.ssh("web-1", "cat /dev/null").returncode == 0
    (denial,) = world.until(lambda: receiver.of("denial"))
    assert denial["data"]["statement"] == "dropdb orders"
    assert (denial["data"]["rules"], denial["data"]["severity"]) == (["no-drops"], "high")
    assert denial["data"]["claims"]["actor"] == "sam"
    (alert,) = world.until(lambda: receiver.of("alert"))
    assert (alert["data"]["statement"], alert["data"]["verdict"]) == ("cat /dev/null", "allow")
    before = len(receiver.requests)
    done = world.ssh("web-1", "bash -s", stdin=b"cat /dev/null\n" * 300)
    assert done.returncode == 0
    assert len(receiver.requests) - before < 30
    world.stage.stop_bastion()
    start(told)
    world.until(lambda: receiver.of("left-out"))
    left_out = sum(one["data"]["left_out"] for one in (*receiver.of("left-out"), *receiver.of("alert")))
    assert left_out + len(receiver.of("alert")) == 301


def test_strangers_at_the_answer_door_get_nothing_and_cannot_fill_the_record(told: Told) -> None:
    before = len(told.world.audit())
    for _ in range(400):
        assert http(f"{told.url}/nowhere", b"{}", {})[0] == 404
    assert http(f"{told.url}/answers", b"x" * 300_000, {})[0] == 413
    with socket.create_connection(("127.0.0.1", int(told.url.rpartition(":")[2]))) as sock:
        sock.sendall(b"\x00\x01 this is no HTTP\r\n\r\n")
        assert b"400" in sock.recv(100)
    grown = [entry for entry in told.world.audit()[before:] if entry["kind"] == "answer.refused"]
    assert 0 < len(grown) < 250
    assert holds(told.world) == []


def test_what_is_masked_is_masked_there_too_and_no_secret_is_told_of_anywhere(told: Told, mark: Path) -> None:
    world, receiver = told.world, told.receiver
    shown = json.dumps([one.json for one in receiver.requests])
    journal = world.stage.journal.read_text()
    for text in (shown, journal, world.database.read_bytes().decode("latin-1")):
        for secret in ("kim-s-own-key", "8f742231b10e", "whsec_", "/hook"):
            assert secret not in text


def test_reloading_adopts_channels_and_a_mistake_changes_nothing(told: Told, mark: Path) -> None:
    world, receiver = told.world, told.receiver
    config = world.stage.config.read_text()
    key = mark.with_name("other.key")
    key.write_text("short\n")
    url = mark.with_name("other.url")
    url.write_text(f"{receiver.url}/other\n")
    channel = f'[[notify]]\nname = "other"\nkind = "webhook"\nurl_file = "{url}"\nkey_file = "{key}"\n'
    try:
        world.stage.config.write_text(f"{config}\n{channel}")
        assert world.reload()["kind"] == "configuration.rejected"
        checked = world.bastion("check")
        assert checked.returncode == 2
        assert b"notify[2].key_file: " in checked.stderr
        assert b"expected one key of 24 bytes or more" in checked.stderr
        key.write_text("another-key-of-some-length-0123456789\n")
        assert world.reload()["kind"] == "configuration.reloaded"
        assert world.ssh("web-1", "dropdb other").returncode == 126
        world.until(lambda: [one for one in receiver.requests if one.path == "/other"])
    finally:
        world.stage.config.write_text(config)
        assert world.reload()["kind"] == "configuration.reloaded"


def test_a_channel_can_be_tried(told: Told, mark: Path) -> None:
    world, receiver = told.world, told.receiver
    done = world.bastion("notify", "test", "ops-hook")
    assert (done.returncode, done.stdout) == (0, b"ops-hook: delivered: answered with status 200\n")
    assert receiver.of("test")
    receiver.status = 500
    try:
        done = world.bastion("notify", "test", "ops-slack")
        assert (done.returncode, done.stdout) == (1, b"ops-slack: not delivered: answered with status 500\n")
    finally:
        receiver.status = 200
    done = world.bastion("notify", "test", "nobody")
    assert done.returncode == 2
    assert b"no channel is called nobody; there are: ops-hook, ops-slack" in done.stderr
    assert b"ops-slack  slack    hold.asked" in world.bastion("notify", "list").stdout


def test_what_nobody_took_is_delivered_after_a_restart_and_a_dead_channel_blocks_nothing(
    told: Told, mark: Path
) -> None:
    world, receiver = told.world, told.receiver
    receiver.status = 503
    try:
        held = bot(world, "web-1", f"touch {mark}")
        (seen,) = waiting(world)
        assert Signer(url=told.url).send({"hold": seen["id"], "answer": "deny", "reason": "no"})[0] == 200
        assert ends(held)[0] == 126
        world.stage.stop_bastion()
        waits = json.loads(world.bastion("notify", "list", "--json").stdout)
        assert waits[0]["waiting"] == 2
    finally:
        receiver.status = 200
    start(told)

    def of_this(kind: str) -> list[str]:
        return [
            one["data"]["hold"]["id"] for one in receiver.of(kind) if one["data"]["hold"]["id"] == seen["id"]
        ]

    world.until(lambda: of_this("hold.ended"))
    assert of_this("hold.asked") == of_this("hold.ended") == [seen["id"]]
    outcomes = [one["outcome"] for one in of_kind(world, "hold.notified") if one["hold"] == seen["id"]]
    assert "delayed" in outcomes
    assert outcomes.count("delivered") >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_t37_a_bastion_restarted_with_a_hold_open_says_to_both_sides_that_it_is_cancelled(
    told: Told, mark: Path, number: int, request: pytest.FixtureRequest
) -> None:
    world, receiver = told.world, told.receiver
    assert holds(world) == []
    config = (world.job / "ssh_config.alex").read_text()
    (world.job / "ssh_config.follower").write_text(config)  # alex's own is written anew at each look
    follower = world.start("ssh", "-F", "ssh_config.follower", "bastion", "approvals", "--follow", "--json")
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    assert follower.stdout is not None
    steps = [json.loads(follower.stdout.readline())]
    assert (steps[0]["event"], steps[0]["id"]) == ("asked", seen["id"])
    world.stage.stop_bastion(number)
    status, _out, said = ends(held)
    steps += [json.loads(line) for line in follower.communicate(timeout=20)[0].splitlines()]
    if number == signal.SIGTERM:
        assert status == 126
        if (
            "one process" in request.node.callspec.id
        ):  # a follower at a worker may be let go of before it hears
            assert steps[-1]["state"] == "cancelled"
        assert f"{seen['id']} cancelled: the bastion is shutting down" in said
    else:
        assert status == 255
    start(told)
    assert holds(world) == []
    (end,) = world.until(
        lambda: [one for one in receiver.of("hold.ended") if one["data"]["hold"]["id"] == seen["id"]]
    )
    assert end["data"]["hold"]["state"] == "cancelled"
    assert [one["detail"]["state"] for one in entries(world, seen["id"]) if one["kind"] == "hold.ended"] == [
        "cancelled"
    ]
    late = Signer(url=told.url).send({"hold": seen["id"], "answer": "approve"})
    assert late[0] == 409
    assert not mark.exists()
    assert world.bastion("verify", "--all").returncode == 0
