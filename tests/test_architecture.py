"""Hold every file of the repository to the rules of the house (tests/architecture_rules.py).

In      what git tracks, and what it would track: new files count before they are added
Source  DESIGN sections 1 and 4; STYLE
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture_rules as rules

ROOT = Path(__file__).resolve().parents[1]


def repository_files() -> list[str]:
    """Return the paths, relative to the root and sorted, of all files that git tracks or would track."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({path for path in listed if path and (ROOT / path).is_file()})


FILES = repository_files()
MODULES = [path for path in FILES if path.endswith(".py")]
PRODUCT = [path for path in MODULES if path.split("/")[0] in rules.PRODUCT]
TESTS = [path for path in MODULES if path.startswith("tests/")]


def faults(rule: Callable[[str, str], list[str]], paths: list[str]) -> str:
    """Return all faults that a rule finds in these files, one a line."""
    return "\n".join(
        fault for path in paths for fault in rule(path, (ROOT / path).read_text(errors="replace"))
    )


def expect_none(found: str) -> None:
    """Fail with the faults alone: they say what to do, a diff would not."""
    assert not found, f"\n{found}"


# The rules, held against the repository.


def test_libraries_stand_alone_and_third_parties_stay_at_home() -> None:
    expect_none(faults(rules.import_faults, PRODUCT))


def test_only_the_composition_root_imports_adapters() -> None:
    expect_none(faults(rules.adapter_import_faults, PRODUCT))


def test_private_parts_of_asyncssh_are_reached_through_one_package() -> None:
    expect_none(faults(rules.asyncssh_private_faults, PRODUCT))


def test_no_module_is_longer_than_400_lines() -> None:
    expect_none(faults(rules.size_faults, MODULES))


def test_every_product_module_says_what_it_is_for() -> None:
    expect_none(faults(rules.docstring_faults, PRODUCT))


def test_names_are_nouns_of_the_field() -> None:
    expect_none(faults(rules.name_faults, MODULES))


def test_only_the_composition_root_catches_everything() -> None:
    expect_none(faults(rules.blind_except_faults, PRODUCT))


def test_every_test_runs() -> None:
    expect_none(faults(rules.skip_faults, TESTS))


def test_text_speaks_of_the_product_alone() -> None:
    expect_none(faults(rules.text_faults, FILES))


def test_scripts_are_short_executable_and_stop_at_a_failure() -> None:
    scripts = [path for path in FILES if path.startswith("scripts/") or path == ".ci/run"]
    assert scripts, "no scripts found: has the folder moved?"

    def script_faults(path: str, text: str) -> list[str]:
        return rules.script_faults(path, text, executable=bool((ROOT / path).stat().st_mode & 0o100))

    expect_none(faults(script_faults, scripts))


# Each rule, shown to fail on what it forbids and to pass what it does not.

IMPORT, ADAPTER, PRIVATE = rules.import_faults, rules.adapter_import_faults, rules.asyncssh_private_faults
BLIND, SKIP, TEXT = rules.blind_except_faults, rules.skip_faults, rules.text_faults
SESSION, DOOR, SEAL, TEST = (
    "bastion/session.py",
    "bastion/adapters/door.py",
    "recorder/seal.py",
    "tests/test_a.py",
)


@pytest.mark.parametrize(
    ("rule", "path", "source", "complaint"),
    [
        (IMPORT, SEAL, "from bastion.token import Token", "recorder is a library"),
        (IMPORT, "policies/engine.py", "import recorder", "policies is a library"),
        (IMPORT, SEAL, "def f():\n    import bastion.clock", "recorder/seal.py:2:"),
        (IMPORT, SEAL, "import_module('bastion.token')", "recorder is a library"),
        (IMPORT, SEAL, "from ..bastion import token", "recorder is a library"),
        (IMPORT, SESSION, "import asyncssh", "its home in bastion/adapters/*"),
        (IMPORT, SESSION, "from cryptography.hazmat import x", "cryptography has its home"),
        (IMPORT, SESSION, "import sqlite3", "sqlite3 has its home in recorder/*"),
        (IMPORT, "recorder/index.py", "import sqlite_utils", "its home in recorder/store*.py"),
        (IMPORT, SESSION, "import requests", "requests has no home yet"),
        (ADAPTER, SESSION, "from bastion.adapters.door import Door", "Protocol"),
        (ADAPTER, SESSION, "from bastion import adapters", "Protocol"),
        (ADAPTER, "bastion/transfer/scp.py", "from ..adapters import door", "Protocol"),
        (PRIVATE, DOOR, "import asyncssh.connection", "asyncssh.connection"),
        (PRIVATE, DOOR, "from asyncssh.packet import String", "asyncssh_hooks"),
        (PRIVATE, DOOR, "from asyncssh import packet", "asyncssh.packet"),
        (PRIVATE, DOOR, "x = asyncssh.packet.String", "asyncssh.packet"),
        (PRIVATE, DOOR, "conn._transport.abort()", "._transport is private"),
        (PRIVATE, DOOR, "getattr(conn, '_send')", "._send is private"),
        (rules.size_faults, SESSION, "\n" * 401, "more than 400 lines"),
        (rules.docstring_faults, SESSION, "x = 1\n" * 6, "no module docstring"),
        (rules.name_faults, "bastion/ssh_utils.py", "", "'utils' names no subject"),
        (rules.name_faults, "bastion/common/door.py", "", "'common' names no subject"),
        (BLIND, SESSION, "try: f()\nexcept: pass", "session.py:2: catches everything"),
        (BLIND, SESSION, "try: f()\nexcept Exception: pass", "catches everything"),
        (BLIND, SESSION, "try: f()\nexcept (OSError, BaseException): pass", "everything"),
        (BLIND, SESSION, "with suppress(Exception): f()", "catches everything"),
        (SKIP, TEST, "@pytest.mark.skipif(True)\ndef test_a(): ...", "may not run"),
        (SKIP, TEST, "def test_a():\n    pytest.skip('no sshd')", "test_a.py:2: may not run"),
        (SKIP, TEST, "x = pytest.importorskip('x')", "may not run"),
        (SKIP, TEST, "from pytest import xfail", "may not run"),
        (SKIP, "tests/conftest.py", "collect_ignore = ['test_a.py']", "may not run"),
        (TEXT, "docs/a.md", "see " + "/" + "root/x", "path of one machine"),
        (TEXT, "docs/a.md", "'" + "/" + "home/dana/key'", "path of one machine"),
        (TEXT, "docs/a.md", "cd " + "/" + "tmp/w", "path of one machine"),
        (TEXT, "requirements.lock", "--index-url https://pypi." + "org/simple", "is a registry"),
        (TEXT, "package-lock.json", "https://registry.npmjs." + "org/x.tgz", "is a registry"),
    ],
)
def test_rule_finds(rule: Callable[[str, str], list[str]], path: str, source: str, complaint: str) -> None:
    found = rule(path, source)
    assert len(found) == 1, found
    assert complaint in found[0]
    assert found[0].startswith(f"{path}:")


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (IMPORT, SEAL, "import json\nfrom recorder.chain import Link\nimport jwcrypto.jwk"),
        (IMPORT, SESSION, "from recorder.events import Event\nfrom . import clock"),
        (IMPORT, "bastion/config_model.py", "import pydantic"),
        (IMPORT, "bastion/demo/story/issuer.py", "from aiohttp import web"),
        (ADAPTER, "bastion/runtime.py", "from bastion.adapters.door import Door"),
        (ADAPTER, "bastion/demo/story.py", "from bastion.adapters import door"),
        (PRIVATE, DOOR, "asyncssh.scp(self._a, b.__name__, c._replace())"),
        (PRIVATE, DOOR, "from asyncssh import SSHServer, scp"),
        (PRIVATE, "bastion/adapters/asyncssh_hooks/channel.py", "import asyncssh.packet\nconn._recv()"),
        (rules.size_faults, SESSION, "\n" * 400),
        (rules.docstring_faults, SESSION, '"""Run one session."""\n' + "x = 1\n" * 6),
        (rules.docstring_faults, "bastion/__init__.py", ""),
        (rules.name_faults, "bastion/database64.py", ""),
        (BLIND, SESSION, "try: f()\nexcept (OSError, asyncssh.Error): pass"),
        (BLIND, SESSION, "try: f()\nexcept BaseException:\n    close()\n    raise"),
        (BLIND, "bastion/reloading.py", "try: f()\nexcept Exception: pass"),
        (SKIP, TEST, "reader.skip(3)\npytest.raises(ValueError)"),
        (TEXT, "docs/a.md", "docs/work/notes.md, $HOME/work/x, https://acme.example/home/, /tmp/www"),
    ],
)
def test_rule_passes(rule: Callable[[str, str], list[str]], path: str, source: str) -> None:
    assert rule(path, source) == []


@pytest.mark.parametrize(
    ("text", "executable", "complaint"),
    [
        ("#!/usr/bin/env bash\nset -euo pipefail\n", False, "not executable"),
        ("set -euo pipefail\n", True, "no shebang"),
        ("#!/usr/bin/env bash\ntrue\n", True, "goes on after a failure"),
        ("#!/usr/bin/env bash\nset -euo pipefail\n" + "true\n" * 78, True, "80 lines or more"),
    ],
)
def test_script_rule_finds(text: str, executable: bool, complaint: str) -> None:
    found = rules.script_faults("scripts/x", text, executable=executable)
    assert len(found) == 1
    assert complaint in found[0]


def test_script_rule_passes_a_short_script_in_another_language() -> None:
    assert rules.script_faults("scripts/x", "#!/usr/bin/env python3\n", executable=True) == []
