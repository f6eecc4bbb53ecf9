"""Whoever runs the bastion reads evidence back: lists, details, exports and proof, with the server running."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import World

RUN = "90210"
LISTED = {
    *(
        "id",
        "file_counts",
        "limits",
        "state",
        "identity",
        "owner",
        "target",
        "login",
        "access",
        "started_at",
        "ended_at",
        "exit_status",
    ),
    *("bytes_in", "bytes_out", "claims", "exposure", "sealed"),
}
EVIL = (
    r"printf 'seen\033]52;c;cm0gLXJmIC8K\007\033]0;pwned\007\033]8;;https://evil.example\033\\link\033]8;;\033\\"
    r"\033[5i\033[c\033[21t\033P+q544e\033\\shown\n'"
)


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Any]:
    """Two sessions of a run of their own: one command with escapes in its answer, one script."""
    world.certify("reader", "deploy", run_id=RUN)
    done = world.ssh_as("reader", "-J", "bastion", f"{world.login}@web-1", f"{EVIL}; exit 3")
    assert done.returncode == 3
    script = world.ssh_as(
        "reader", "-J", "bastion", f"{world.login}@web-1", "bash", "-s", stdin=b"echo two\n"
    )
    assert script.stdout == b"two\n"
    rows = world.until(
        lambda: (
            [row for row in world.sessions("--claim", f"run_id={RUN}") if row["ended_at"]][1:]
            and world.sessions("--claim", f"run_id={RUN}")
        )
    )
    return {"script": rows[0], "evil": rows[1], "raw": done.stdout}


def ids(world: World, *words: str) -> list[str]:
    return [row["id"] for row in world.sessions(*words)]


# Lists.


def test_a_session_is_listed_with_the_fields_that_are_promised(told: dict[str, Any]) -> None:
    row = told["evil"]
    assert set(row) == LISTED
    assert (row["state"], row["identity"], row["owner"], row["target"], row["access"]) == (
        "closed",
        "orders-deployer",
        "dana@acme.example",
        "web-1",
        "exec",
    )
    assert (row["exit_status"], row["bytes_out"], row["sealed"]) == (3, len(told["raw"]), True)
    assert row["claims"]["run_id"] == RUN
    assert row["started_at"] < row["ended_at"]


def test_every_filter_narrows_the_list(world: World, told: dict[str, Any]) -> None:
    mine = ("--claim", f"run_id={RUN}")
    both = [told["script"]["id"], told["evil"]["id"]]
    for words, found in [
        (("--identity", "orders-deployer", "--owner", "dana@acme.example", "--target", "web-1"), both),
        (("--claim", "actor=sam", "--state", "closed"), both),
        (("--identity", "orders"), []),
        (("--owner", "sam@acme.example"), []),
        (("--target", "web-2"), []),
        (("--claim", "actor=dana"), []),
        (("--since", "1h"), both),
        (("--since", told["script"]["started_at"]), both[:1]),
        (("--state", "active"), []),
        (("--limit", "1"), both[:1]),
    ]:
        assert ids(world, *mine, *words) == found, words


def test_the_table_for_people_has_a_line_for_each(world: World, told: dict[str, Any]) -> None:
    out = world.bastion("sessions", "--claim", f"run_id={RUN}").stdout.decode()
    head, script, evil = out.splitlines()
    assert head.split()[0] == "session"
    assert (told["script"]["id"] in script, told["evil"]["id"] in evil, "exit 3" in evil) == (
        True,
        True,
        True,
    )
    assert world.bastion("sessions", "--identity", "nobody").stdout == b"no sessions\n"


def test_a_live_session_is_listed_as_active_with_running_counts(world: World) -> None:
    world.certify("live", "deploy", run_id="90211")
    config = world.ssh_as("live", "-G", "web-1")
    assert config.returncode == 0
    live = world.start("ssh", "-F", "ssh_config.live", "-J", "bastion", f"{world.login}@web-1", "cat")
    assert live.stdin is not None
    assert live.stdout is not None
    live.stdin.write(b"x" * 1000)
    live.stdin.flush()
    assert live.stdout.read(1000) == b"x" * 1000
    (row,) = world.sessions("--claim", "run_id=90211")
    assert (row["state"], row["bytes_in"], row["bytes_out"]) == ("active", 1000, 1000)
    assert (row["ended_at"], row["sealed"]) == (None, False)
    shown = world.bastion("show", row["id"]).stdout.decode()
    assert "active, not sealed" in shown
    assert "to now" in shown
    verified = world.bastion("verify", row["id"])
    assert (verified.returncode, b"is open" in verified.stdout) == (0, True)
    live.stdin.close()
    assert live.wait(timeout=20) == 0
    world.until(lambda: world.sessions("--claim", "run_id=90211", "--state", "closed"))


# One session.


def test_show_tells_who_what_and_how_it_ended(world: World, told: dict[str, Any]) -> None:
    out = world.bastion("show", told["evil"]["id"][:20]).stdout.decode()
    for text in (
        "orders-deployer, owned by dana@acme.example",
        "run_id",
        RUN,
        "exec",
        "status 3",
        "allow",
        "deployers-work-on-web",
    ):
        assert text in out
    shown = json.loads(world.bastion("show", "--json", told["evil"]["id"]).stdout)
    assert shown["certificate"]["key_id"] == f"orders-deployer/{RUN}"
    assert set(shown) >= LISTED


def acts(data: bytes) -> list[bytes]:
    """Return what of a terminal's input would act beyond drawing."""
    return [
        evil
        for evil in (b"\x1b]", b"\x1bP", b"\x1b[5i", b"\x1b[c", b"\x1b[21t", b"\x07", b"pwned", b"cm0g")
        if evil in data
    ]


def test_t45_escapes_in_a_recording_do_not_act_on_the_readers_terminal(
    world: World, told: dict[str, Any]
) -> None:
    assert acts(told["raw"])  # the bot got them as they were (L3)
    session = told["evil"]["id"]
    for words in (
        ["replay", session],
        ["show", session],
        ["export", session, "--format", "text"],
        ["sessions"],
    ):
        out = world.bastion(*words).stdout
        assert acts(out.replace(EVIL.encode(), b"")) == [], words
    replayed = world.bastion("replay", session).stdout
    assert b"seen" in replayed
    assert b"linkshown" in replayed
    for form in ("asciicast-v2", "asciicast-v3"):
        lines = world.bastion("export", session, "--format", form).stdout.splitlines()
        played = "".join(json.loads(line)[2] for line in lines[1:] if json.loads(line)[1] == "o")
        assert "linkshown" in played
        assert acts(played.encode()) == []


def test_an_exact_export_has_every_byte(world: World, told: dict[str, Any]) -> None:
    out = b"".join(
        event["text"].encode() for event in world.events(told["evil"]["id"]) if event["kind"] == "output"
    )
    assert out == told["raw"]


def test_an_export_goes_to_a_file_when_asked(world: World, told: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "session.cast"
    done = world.bastion("export", told["script"]["id"], "--output", str(path))
    assert (done.returncode, done.stdout) == (0, b"")
    assert json.loads(path.read_bytes().splitlines()[0])["version"] == 2
    assert path.read_bytes() == world.bastion("export", told["script"]["id"]).stdout


def test_l9_each_read_is_on_the_audit_chain_with_who_did_it(world: World, told: dict[str, Any]) -> None:
    before = world.audit()[-1]["seq"]
    session = told["script"]["id"]
    for words in (
        ["sessions", "--identity", "x"],
        ["show", session],
        ["replay", session],
        ["export", session],
    ):
        world.bastion(*words)
    reads = [
        entry["detail"]
        for entry in world.audit()
        if entry["seq"] > before and entry["kind"] == "evidence.read"
    ]
    mine = [read for read in reads if "on the bastion itself" in read["by"]]
    assert [read["command"] for read in mine] == ["sessions", "show", "replay", "export"]
    assert {f"uid {os.getuid()}" in read["by"] for read in mine} == {True}
    assert (mine[0]["filters"], mine[1]["asked_for"]) == ({"identity": "x"}, session)


# Proof.


def test_verify_says_with_its_status_whether_all_holds(
    world: World, told: dict[str, Any], tmp_path: Path
) -> None:
    done = world.bastion("verify", "--all")
    assert (done.returncode, b"everything holds" in done.stdout) == (0, True), done.stdout
    one = world.bastion("verify", told["evil"]["id"], "--json")
    assert (one.returncode, json.loads(one.stdout)["ok"], json.loads(one.stdout)["sessions"]) == (0, True, 1)
    head = world.audit()[-1]["head"]
    assert world.bastion("verify", "--all", "--head", head).returncode == 0

    copy, keys = tmp_path / "copy.sqlite", tmp_path / "seal.jwks"
    with sqlite3.connect(world.database) as live, sqlite3.connect(copy) as other:
        live.backup(other)
    keys.write_bytes(world.bastion("keys", "seal").stdout)
    offline = ["verify", "--all", "--database", str(copy), "--keys", str(keys)]
    assert alone(*offline).returncode == 0
    cut_back = alone(*offline, "--head", f"{int(head.partition(':')[0]) + 1000}:{'0' * 64}")
    assert (cut_back.returncode, b"BROKEN audit: the database was cut back" in cut_back.stdout) == (1, True)
    with sqlite3.connect(copy) as other:
        other.execute("UPDATE sessions SET identity = 'nobody' WHERE id = ?", (told["evil"]["id"],))
    other.close()
    broken = alone(*offline)
    assert (broken.returncode, f"BROKEN session {told['evil']['id']}".encode() in broken.stdout) == (1, True)
    with sqlite3.connect(copy) as other:
        for table, column in (("sessions", "id"), ("chunks", "session")):
            other.execute(f"DELETE FROM {table} WHERE {column} = ?", (told["evil"]["id"],))
    other.close()
    gone = alone("verify", told["evil"]["id"], "--database", str(copy), "--keys", str(keys))
    assert (gone.returncode, b"gone" in gone.stdout) == (1, True)


def alone(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the command without any configuration."""
    environment = {key: value for key, value in os.environ.items() if key != "BASTION_CONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "bastion", *words],
        env=environment,
        capture_output=True,
        timeout=60,
        cwd=folder,
    )


# Mistakes.


def one_line(done: subprocess.CompletedProcess[bytes], *texts: str) -> None:
    """The command could not do it, and says why on one line (or on click's three)."""
    error = done.stderr.decode(errors="replace")
    assert done.returncode == 2, error
    assert "Traceback" not in error
    lines = error.splitlines()
    assert len(lines) == 1 or lines[0].startswith("Usage:"), error
    for text in texts:
        assert text in lines[-1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("show 01NOSUCHSESSION", "there is no session 01NOSUCHSESSION"),
        ("show ../../../etc/passwd", "there is no session ../../../etc/passwd"),
        ("replay 0", "sessions begin with 0"),
        ("export {id} --format gif", "'gif' is not one of"),
        ("export {id} --output /nowhere/at/all", "/nowhere/at/all: cannot be written"),
        ("export {id} --output {folder}", "is a directory"),
        ("replay {id} --speed nan", "speed"),
        ("replay {id} --idle-limit nan", "idle"),
        ("sessions --since tomorrow", "--since tomorrow: expected 90m"),
        ("sessions --claim run_id", "--claim run_id: expected KEY=VALUE"),
        ("sessions --config /nowhere.toml", "/nowhere.toml"),
        ("sessions --nonsense", "nonsense"),
        ("verify", "say which: a session's ID, or --all"),
        ("verify 01ARZ3NDEKTSV4RRFFQ69G5FAV", "there is no session 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("verify --all --database /nowhere.sqlite", "/nowhere.sqlite: there is no such file"),
        ("verify --all --database {folder}", "{folder}: is not a file"),
        ("verify --all --database {config}", "{config}: not a recording database"),
        ("verify --all --database {empty}", "{empty}: not a recording database"),
        ("verify --all --database {foreign}", "{foreign}: not a recording database"),
        ("verify --all --keys /nowhere.jwks", "/nowhere.jwks: cannot be read"),
        ("verify --all --keys {config}", "{config}: not a JWK Set"),
        ("nonsense", "No such command 'nonsense'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(
    world: World, told: dict[str, Any], tmp_path: Path, words: str, text: str
) -> None:
    (tmp_path / "empty").touch()
    with sqlite3.connect(tmp_path / "foreign") as foreign:
        foreign.execute("CREATE TABLE songs (name)")
    foreign.close()
    names = {
        "id": told["evil"]["id"],
        "folder": str(tmp_path),
        "empty": str(tmp_path / "empty"),
        "foreign": str(tmp_path / "foreign"),
        "config": str(world.stage.config),
    }
    one_line(world.bastion(*shlex.split(words.format(**names))), text.format(**names))


@pytest.mark.parametrize("name", [b"\xff\xfe", "\u202e".encode(), b"\x1b]0;x\x07"])
def test_a_name_that_is_no_text_is_a_session_that_is_not_there(world: World, name: bytes) -> None:
    done = world.bastion("show", os.fsdecode(name))
    one_line(done, "there is no session")
    assert b"\x1b" not in done.stderr


def test_without_a_configuration_it_asks_for_one(tmp_path: Path) -> None:
    for command in (["sessions"], ["show", "01"], ["verify", "--all"]):
        one_line(alone(*command, folder=tmp_path), "give --config FILE or set BASTION_CONFIG")


def test_before_the_first_start_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert alone("init", str(tmp_path / "new")).returncode == 0
    config = str(tmp_path / "new" / "bastion.toml")
    (tmp_path / "new" / "var" / "recordings.sqlite").unlink(missing_ok=True)
    one_line(alone("sessions", "--config", config), "recordings.sqlite: there is no such recording database")
    one_line(alone("verify", "--all", "--config", config), "recordings.sqlite: there is no such file")


@pytest.mark.parametrize("words", ["sessions --json", "export {id} --format json", "verify --all"])
def test_a_reader_who_has_seen_enough_is_left_in_peace(
    world: World, told: dict[str, Any], words: str
) -> None:
    command = [sys.executable, "-m", "bastion", *words.format(id=told["evil"]["id"]).split()]
    environment = {**os.environ, "BASTION_CONFIG": str(world.stage.config)}
    for reader in ("head -1", "true"):
        line = f"{shlex.join(command)} | {reader}"
        done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")


def test_no_room_for_the_output_is_one_line(world: World, told: dict[str, Any]) -> None:
    for words in (["sessions"], ["export", told["evil"]["id"]]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "bastion", *words],
                env={**os.environ, "BASTION_CONFIG": str(world.stage.config)},
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
            )
        assert done.returncode == 2
        assert done.stderr.decode().splitlines()[0].endswith("No space left on device")
        assert len(done.stderr.splitlines()) == 1
