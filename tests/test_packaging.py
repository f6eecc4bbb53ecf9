"""Show that what is installed is what pyproject.toml asks for: locks, packages, container.

In      pyproject.toml, the lock files, Dockerfile, and the tree
Source  issue: dependencies pinned by a lock file; PEP 508; pip's hash-checking mode
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = PROJECT["build-system"]["requires"]
RUNTIME = PROJECT["project"]["dependencies"]
DEV = PROJECT["project"]["optional-dependencies"]["dev"]
FUZZ = PROJECT["dependency-groups"]["fuzz"]
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]


def read_lock(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return package name -> (version, hashes); fail on a line that is neither a pin nor a hash."""
    pins: dict[str, tuple[str, frozenset[str]]] = {}
    text = re.sub(r"\\\n|#.*", "", (ROOT / name).read_text())
    for line in filter(str.strip, text.splitlines()):
        pin = re.fullmatch(r"([\w.-]+)==(\S+)((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        assert pin, f"{name}: {line[:60]!r} is not a pinned and hashed package: run scripts/lock"
        pins[canonicalize_name(pin[1])] = (pin[2], frozenset(pin[3].split()))
    return pins


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", BUILD + RUNTIME),
        ("requirements-dev.lock", BUILD + RUNTIME + DEV),
        ("requirements-fuzz.lock", FUZZ),
    ],
)
def test_lock_satisfies_the_project_file(lock: str, wanted: list[str]) -> None:
    pins = read_lock(lock)
    for requirement in map(Requirement, wanted):
        version, _ = pins.get(canonicalize_name(requirement.name), ("", None))
        assert version, f"{lock} lacks {requirement.name}: run scripts/lock"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{lock}: {version} is not {requirement}"
        )


def test_dev_lock_holds_the_runtime_lock_unchanged() -> None:
    runtime, dev = read_lock("requirements.lock"), read_lock("requirements-dev.lock")
    assert runtime == {name: dev.get(name) for name in runtime}, "run scripts/lock"


def test_every_package_and_its_data_are_installed() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for top in ("bastion", "policies", "recorder")
             for path in (ROOT / top).rglob("*.py")}  # fmt: skip
    assert found <= set(PACKAGES), f"pyproject.toml packages lack {sorted(found - set(PACKAGES))}"
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for top in ("bastion", "policies", "recorder"):
        kept = {path for pattern in data[top] for path in (ROOT / top).glob(pattern)}
        files = {
            path for path in (ROOT / top).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        }
        left_out = sorted(str(path.relative_to(ROOT)) for path in files - kept if path.suffix != ".py")
        assert not left_out, f"pyproject.toml package-data of {top} lacks {left_out}"


INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    if line and not line.startswith("#")
]
FINAL_STAGE = INSTRUCTIONS[max(at for at, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def arguments(word: str) -> list[str]:
    """Return what follows each such instruction in the stage that is shipped."""
    return [rest for instruction, rest in FINAL_STAGE if instruction == word]


def test_container_runs_as_an_unprivileged_user_of_a_fixed_number() -> None:
    uid, gid = arguments("USER")[-1].split(":")
    assert int(uid) >= 1000
    assert int(gid) >= 1000
    assert any(f"--uid {uid} " in run for run in arguments("RUN"))


def test_container_keeps_data_and_keys_in_volumes_apart() -> None:
    assert arguments("VOLUME") == ["/var/lib/bastion", "/etc/bastion/keys"]
    owned = " ".join(arguments("RUN"))
    assert "install -d -o bastion -g bastion -m 0700 /etc/bastion/keys /var/lib/bastion" in owned


def test_container_starts_the_server_with_the_mounted_configuration() -> None:
    assert json.loads(arguments("ENTRYPOINT")[0]) == ["bastion"]
    assert "bastion" in PROJECT["project"]["scripts"]
    assert json.loads(arguments("CMD")[0]) == ["serve"]
    assert arguments("EXPOSE") == ["2222"]
    assert any("BASTION_CONFIG=/etc/bastion/bastion.toml" in settings for settings in arguments("ENV"))


def test_container_is_built_from_the_lock_file_and_files_that_exist() -> None:
    copied = [rest.split()[:-1] for word, rest in INSTRUCTIONS if word == "COPY" and "--from=" not in rest]
    sources = {source.rstrip("/") for sources in copied for source in sources}
    assert sources == {
        "requirements.lock",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "bastion",
        "policies",
        "recorder",
    }
    ignored = (ROOT / ".dockerignore").read_text().split()
    for source in sources:
        assert (ROOT / source).exists(), f"Dockerfile copies {source}, which does not exist"
        assert {f"!{source}", f"!{source}/"} & set(ignored), f".dockerignore keeps {source} out of the build"
    installs = [rest for word, rest in INSTRUCTIONS if word == "RUN" and "pip install" in rest]
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--no-deps --no-build-isolation" in rest for rest in installs[1:])
