"""An operator's commands work as they say: init, check, serve, keys; each mistake is one line that helps."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bastion.cli.main import MODULES
from bastion.cli.operator_commands import COMMANDS, KEY_KINDS
from bastion.demo.host import free_port, wait_for_port
from bastion.errors import OperatorError
from tests.integration.operator_desk import bastion, serving, told


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The configuration file of a bastion that `init` has made."""
    done = bastion("init", tmp_path / "made", "--listen", f"127.0.0.1:{free_port()}", "--name", "localhost")
    assert done.returncode == 0, done.stderr
    return tmp_path / "made" / "bastion.toml"


# init


def test_what_init_prints_next_works_as_printed(tmp_path: Path) -> None:
    port = free_port()
    folder = tmp_path / "a folder"
    done = bastion("init", folder, "--listen", f"127.0.0.1:{port}", "--name", "localhost", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{folder}/bastion.toml", f"{folder}/policy.toml", f"{folder}/keys/"]
    check, serve = (shlex.split(command) for command in re.findall("`([^`]*)`", done.stderr))
    assert (check[:2], serve[:2]) == (["bastion", "check"], ["bastion", "serve"])
    checked = bastion(*check[1:])
    assert checked.returncode == 0, checked.stderr
    assert "sound: 0 issuers, 0 identities, 0 targets" in checked.stdout
    config = Path(serve[-1])
    with serving(config, port) as process:
        for name in KEY_KINDS:
            assert bastion("keys", name, config=config).returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert [path.name for path in (folder / "var").iterdir() if "recordings" in path.name] == [
        "recordings.sqlite"
    ]
    verified = bastion("verify", "--all", config=config)
    assert verified.returncode == 0, verified.stderr


def test_init_works_with_a_relative_folder_and_there(tmp_path: Path) -> None:
    assert bastion("init", ".", cwd=tmp_path).returncode == 0
    assert bastion("check", "--config", "bastion.toml", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("there", ["bastion.toml", "policy.toml"])
def test_init_overwrites_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    (line,) = told(bastion("init", tmp_path))
    assert line == f"bastion: {tmp_path / there}: is there already; nothing was changed"
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_init_keeps_keys_that_are_there(made: Path) -> None:
    keys = {path.name: path.read_bytes() for path in (made.parent / "keys").iterdir()}
    for name in ("bastion.toml", "policy.toml"):
        (made.parent / name).unlink()
    assert bastion("init", made.parent).returncode == 0
    assert {path.name: path.read_bytes() for path in (made.parent / "keys").iterdir()} == keys


@pytest.mark.parametrize(
    "words", [("--listen", "nowhere"), ("--listen", "127.0.0.1:99999"), ("--name", "*"), ("--name", "a b")]
)
def test_init_with_a_mistake_leaves_nothing_behind(tmp_path: Path, words: tuple[str, str]) -> None:
    lines = told(bastion("init", tmp_path / "new", *words))
    assert words[1] in lines[-1]
    assert not list(tmp_path.glob("new/*"))
    assert bastion("init", tmp_path / "new").returncode == 0


# check


MISTAKES: list[tuple[str, Callable[[str], str], tuple[str, ...]]] = [
    ("unknown key", lambda text: text.replace("[policy]", "[policy]\nfile = 1"), ("policy.file",)),
    (
        "wrong type",
        lambda text: text.replace("[policy]\nfiles = [", "[policy]\nfiles = 3 #"),
        ("policy.files",),
    ),
    ("bad quota", lambda text: text.replace('quota = "1GiB"', 'quota = "much"'), ("recorder.quota", "much")),
    ("missing policy", lambda text: text.replace('"policy.toml"', '"none.toml"'), ("none.toml",)),
    ("no such library", lambda text: text.replace('"policy.toml"', '"library:none"'), ("library:none",)),
    (
        "keys under data",
        lambda text: text.replace('keys = "./keys"', 'keys = "./var/keys"'),
        ("bastion.keys",),
    ),
    ("no name", lambda text: re.sub(r"names = \[.*\]", "names = []", text), ("bastion.names",)),
    ("syntax", lambda text: text + "\n[[target", ("line",)),
    (
        "an issuer in clear",
        lambda text: text + '\n[[issuer]]\nname = "ci"\nurl = "http://acme.example"\naudience = "x"\n',
        ("issuer[0].url", "expected an https URL"),
    ),
    (
        "an identity of no issuer and no owner",
        lambda text: text + '\n[[identity]]\nname = "bot"\nissuer = "ci"\nmatch = { sub = "x" }\n',
        ("identity[0].owner",),
    ),
]


@pytest.mark.parametrize(
    ("change", "named"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_check_says_file_key_and_what_was_expected(
    made: Path, change: Callable[[str], str], named: tuple[str, ...]
) -> None:
    text = made.read_text()
    assert change(text) != text
    made.write_text(change(text))
    lines = told(bastion("check", "--config", made))
    assert len(lines) == 1
    assert lines[0].startswith(f"bastion: {made}: ")
    assert all(word in lines[0] for word in named)
    as_json = bastion("check", "--config", made, "--json")
    assert as_json.returncode == 2
    answer = json.loads(as_json.stdout)
    assert (answer["ok"], [f"bastion: {problem}" for problem in answer["problems"]]) == (False, lines)


def test_check_names_all_mistakes_at_once(made: Path) -> None:
    text = made.read_text().replace('quota = "1GiB"', 'quota = "much"').replace('data = "./var"', "data = 3")
    made.write_text(text)
    (made.parent / "policy.toml").write_text('[[rule]]\nid = "x"\nverdict = "maybe"\n')
    lines = told(bastion("check", "--config", made))
    assert len(lines) == 3
    for word in ("bastion.data", "recorder.quota", "rule[0].verdict"):
        assert sum(word in line for line in lines) == 1
    # What does not pass the check is not served either, for the same reasons.
    assert told(bastion("serve", "--config", made)) == lines


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
        lambda path: path.write_bytes(b"a = 1\0"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["missing", "not UTF-8", "a NUL", "a folder"],
)
def test_a_configuration_that_cannot_be_read_is_named_by_every_command(
    made: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(made)
    for words in (("check",), ("serve",), ("keys", "host-ca")):
        (line,) = told(bastion(*words, "--config", made))
        assert str(made) in line


def test_check_warns_without_refusing(made: Path) -> None:
    done = bastion("check", "--config", made)
    assert done.returncode == 0
    assert all(line.startswith(f"warning: {made}: ") for line in done.stderr.splitlines())
    answer = json.loads(bastion("check", "--config", made, "--json").stdout)
    assert (answer["ok"], answer["problems"]) == (True, [])
    assert [f"warning: {warning}" for warning in answer["warnings"]] == done.stderr.splitlines()


# serve


def test_serve_says_why_it_does_not_start(made: Path) -> None:
    text = made.read_text()
    port = int(re.findall(r"127\.0\.0\.1:([0-9]+)", text)[0])
    with serving(made, port):
        (second,) = [line for line in told(bastion("serve", "--config", made)) if line.startswith("bastion:")]
        assert "another bastion" in second
        made.write_text(text.replace('data = "./var"', 'data = "./elsewhere"'))
        (taken,) = [line for line in told(bastion("serve", "--config", made)) if line.startswith("bastion:")]
        assert f"cannot listen on 127.0.0.1:{port}" in taken


@pytest.mark.parametrize("command", [("serve",), ("keys", "user-ca")])
def test_a_key_that_others_may_read_stops_the_command_with_the_way_to_mend_it(
    made: Path, command: tuple[str, ...]
) -> None:
    key = made.parent / "keys" / "login-ca"
    key.chmod(0o644)
    (line,) = told(bastion(*command, "--config", made))
    mending = line.partition("run: ")[2]
    assert mending == f"chmod 0600 {key}"
    subprocess.run(shlex.split(mending), check=True)
    assert bastion("keys", "user-ca", "--config", made).returncode == 0


# BASTION_CONFIG and --help


EVERY = (("check",), ("keys", "host-ca"), ("keys", "seal"), ("sessions",), ("verify", "--all"))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_the_variable_stands_in_for_the_option_and_the_option_wins(
    made: Path, words: tuple[str, ...]
) -> None:
    by_option = bastion(*words, "--config", made)
    by_variable = bastion(*words, config=made)
    both = bastion(*words, "--config", made, config=made.with_name("none.toml"))
    assert by_option.returncode == 0, by_option.stderr
    if words[0] != "verify":  # which tells of one more read each time
        assert by_option.stdout == by_variable.stdout == both.stdout
    assert by_variable.returncode == both.returncode == 0


@pytest.mark.parametrize("words", [*EVERY, ("serve",), ("show", "X")], ids=" ".join)
def test_without_either_a_command_says_how_to_name_the_configuration(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    lines = told(bastion(*words, cwd=tmp_path))
    assert "--config FILE" in lines[-1]
    assert "BASTION_CONFIG" in lines[-1]


def test_serve_takes_the_variable_too(made: Path) -> None:
    port = int(re.findall(r"127\.0\.0\.1:([0-9]+)", made.read_text())[0])
    environment = {**os.environ, "BASTION_CONFIG": str(made)}
    journal = made.with_name("journal")
    with journal.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bastion", "serve"], env=environment, stderr=stderr
        )
    try:
        wait_for_port(port, process, journal)
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("name", ["", *(name for names in MODULES.values() for name in names)])
def test_help_teaches(name: str) -> None:
    words = [name, "--help"] if name else ["--help"]
    done = bastion(*words)
    assert (done.returncode, done.stderr) == (0, "")
    described = done.stdout.partition("\n\n")[2].partition("Options:")[0]
    assert len(described.split()) > 5
    if name in {command.name for command in COMMANDS}:
        assert re.search(rf"Examples?:\n +bastion {name} ", described)


def test_operators_commands_are_not_for_those_who_come_over_ssh(made: Path) -> None:
    for words in (("init", "x"), ("check",), ("serve",), ("keys", "seal"), ("demo",)):
        lines = told(bastion("--door", "dana over SSH", *words, config=made))
        assert "on the bastion itself only" in lines[-1]


def test_wait_for_port_tells_why_nothing_listens(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(["sh", "-c", "echo no such luck"], stdout=log)
    with pytest.raises(OperatorError, match="no such luck"):
        wait_for_port(free_port(), process, tmp_path / "log")
    process.wait()
