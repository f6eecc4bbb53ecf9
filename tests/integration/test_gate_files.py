"""Each operation on files is judged by itself: what is denied is answered so, and the rest of the session goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.gate_world import adopt, judged_world, statements
from tests.integration.jump_evidence import Since

POLICY = """\
[[rule]]
id = "releases-go-up"
verdict = "allow"
when = {{ groups = ["ci"] }}
match = [
  {{ operation = ["upload", "mkdir", "setstat", "rename"], writes = "glob:{root}/releases/**" }},
  {{ operation = ["upload", "rename"], reads = "glob:{root}/releases/**" }},
  {{ operation = ["stat", "list"], reads = ["glob:{root}/**", "{root}"] }},
]

[[rule]]
id = "no-keys"
verdict = "deny"
match = [{{ writes = "glob:**/*.pem" }}, {{ operation = "delete" }}]
reason = "keys and deletions are not for pipelines"
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("there")
    (made / "releases").mkdir()
    (made / "other").mkdir()
    (made / "other" / "secret").write_text("secret")
    return made


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[World]:
    policy = POLICY.format(root=root)
    with judged_world(tmp_path_factory.mktemp("judged-files"), policy) as world:
        (world.job / "app.tgz").write_bytes(b"release" * 1000)
        (world.job / "key.pem").write_text("key")
        yield world


def sftp(world: World, batch: str) -> Any:
    return world.run("sftp", "-q", "-F", "ssh_config", "-b", "-", "web-1", stdin=batch.encode())


def test_t23_an_upload_goes_where_a_rule_allows_it_and_nowhere_else(judged: World, root: Path) -> None:
    since = Since(judged)
    batch = f"""put app.tgz {root}/releases/one.tgz
-put app.tgz {root}/other/two.tgz
-put key.pem {root}/releases/key.pem
-get {root}/other/secret
-rm {root}/releases/one.tgz
-put app.tgz {root}/releases/../other/three.tgz
-symlink {root}/other {root}/releases/link
put app.tgz {root}/releases/four.tgz
"""
    done = sftp(judged, batch)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in root.rglob("*")) == [
        *("four.tgz", "one.tgz", "other", "releases", "secret")
    ]
    assert (root / "releases" / "four.tgz").read_bytes() == b"release" * 1000
    assert not (judged.job / "secret").exists()
    recorded = since.ended()
    told = statements(recorded)
    assert (f"upload {root}/releases/one.tgz".encode(), "allow") in told
    assert (f"upload {root}/other/two.tgz".encode(), "deny") in told
    assert (f"upload {root}/releases/key.pem".encode(), "deny") in told
    assert (f"download {root}/other/secret".encode(), "deny") in told
    assert (f"delete {root}/releases/one.tgz".encode(), "deny") in told
    denied = [event.detail for event in recorded.events if event.detail.get("status") == "denied"]
    assert [detail["op"] for detail in denied] == ["open", "open", "open", "remove", "open", "symlink"]
    said = b"".join(event.data for event in recorded.events if event.detail.get("of") == "bastion")
    assert said.count(b"denied by no-keys: keys and deletions are not for pipelines (session ") == 3


@pytest.mark.parametrize("options", [(), ("-O",)], ids=["sftp", "legacy"])
def test_t23_scp_is_held_to_the_same_rules(judged: World, root: Path, options: tuple[str, ...]) -> None:
    name = "legacy" if options else "new"
    scp = ("scp", "-q", "-F", "ssh_config", *options)
    since = Since(judged)
    done = judged.run(*scp, "app.tgz", f"web-1:{root}/releases/{name}.tgz")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (f"upload {root}/releases/{name}.tgz".encode(), "allow") in [
        (source.replace(f"{name}.tgz/app.tgz".encode(), f"{name}.tgz".encode()), verdict)
        for source, verdict in statements(since.ended())
    ]
    for denied in (f"{root}/other/{name}.tgz", "x.tgz"):
        done = judged.run(*scp, "app.tgz", f"web-1:{denied}")
        assert done.returncode != 0
        assert b"denied: no rule allows" in done.stderr or b"ermission denied" in done.stderr
    done = judged.run(*scp, f"web-1:{root}/other/secret", "got")
    assert done.returncode != 0
    assert not (judged.job / "got").exists()
    assert not (root / "other" / f"{name}.tgz").exists()


def test_t23_legacy_scp_that_is_denied_ends_with_126(judged: World, root: Path) -> None:
    since = Since(judged)
    done = judged.ssh("web-1", f"scp -t {root}/other", stdin=b"C0644 3 x\nabc\0")
    assert done.returncode == 126
    assert b"bastion: denied: no rule allows" in done.stderr
    recorded = since.ended()
    assert recorded.details(Kind.EXIT)[-1]["status"] == 126
    assert not (root / "other" / "x").exists()


def test_t23_rsync_and_git_are_operations_known_from_their_command(judged: World, root: Path) -> None:
    (judged.job / "tree").mkdir(exist_ok=True)
    (judged.job / "tree" / "file").write_text("x")
    rsync = ("rsync", "-r", "-e", "ssh -F ssh_config")
    since = Since(judged)
    done = judged.run(*rsync, "tree/", f"web-1:{root}/releases/synced/")
    assert done.returncode == 0, done.stderr
    assert (root / "releases" / "synced" / "file").read_text() == "x"
    ((source, verdict),) = statements(since.ended())
    assert (source[:14], verdict) == (b"rsync --server", "allow")
    for words in (
        ("tree/", f"web-1:{root}/other/synced/"),
        (f"web-1:{root}/releases/", "got/"),
        ("tree/", "web-1:home/"),
        ("tree/", f"web-1:{root}/releases"),
    ):
        done = judged.run(*rsync, *words)
        assert done.returncode != 0
        assert b"bastion: denied: no rule allows" in done.stderr
    done = judged.run(
        "env", "GIT_SSH_COMMAND=ssh -F ssh_config", "git", "ls-remote", f"web-1:{root}/other/x.git"
    )
    assert done.returncode != 0
    assert b"bastion: denied" in done.stderr


SERVERS = """
[[rule]]
id = "servers-by-other-words"
verdict = "allow"
when = { access = ["exec"] }
match = [
  { program = ["/usr/lib/openssh/sftp-server", "scp", "rsync", "sudo", "git-receive-pack"] },
  { reads = "glob:**", writes = "glob:**" },
]
"""


def test_t23_a_server_of_files_in_other_words_gets_no_input_without_a_grant(
    own_world: World, root: Path
) -> None:
    """Its operations would not be judged: a rule that speaks of them could be gone round."""
    adopt(own_world, POLICY.format(root=root) + SERVERS)
    for command in (
        "/usr/lib/openssh/sftp-server",
        f"scp -t '{root}/other'",
        f"sudo scp -t {root}/other",
        f"rsync --server --log-file=x . {root}/other",
        f"git-receive-pack --quiet {root}/other",
    ):
        done = own_world.ssh("web-1", command, stdin=b"C0644 1 x\na\0")
        assert done.returncode == 126
        assert b"no rule allows what is data" in done.stderr, done.stderr
