"""git: clone, fetch and push, over both forms of URL."""

from __future__ import annotations

import random
import shutil

from tests.integration.transparency.matrix import Client, case
from tests.integration.transparency.way import Ended, Way

GROUP = "git"
GIT = Client(name="git", ask=("git", "--version"), version=r"version (\S+)")
WHEN = "1000000000 +0000"
WHO = {
    f"GIT_{role}_{what}": text
    for role in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "Sam"), ("EMAIL", "sam@acme.example"), ("DATE", WHEN))
}
ALONE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
QUICKLY = ("-c", "core.fsync=none", "-c", "init.defaultBranch=main")


def git(way: Way, *words: str, quietly: bool = False) -> Ended:
    """Run git, its ssh named by the environment."""
    env = {**WHO, **ALONE, "GIT_SSH_COMMAND": f"ssh -F {way.job}/ssh_config"}
    return way.run("git", *QUICKLY, *words, env=env, quietly=quietly)


def prepare(way: Way, commits: int = 3) -> None:
    """Make a bare repository on the target with some commits, the last of them large."""
    git(way, "init", "-q", "--bare", "there/orders.git", quietly=True)
    git(way, "init", "-q", "here/source", quietly=True)
    for number in range(commits):
        size = 1_500_000 if number == commits - 1 else 100
        (way.here / "source" / f"file-{number}").write_bytes(random.Random(number).randbytes(size))
        git(way, "-C", "here/source", "add", ".", quietly=True)
        git(way, "-C", "here/source", "commit", "-q", "-m", f"number {number}", quietly=True)
    git(way, "-C", "here/source", "push", "-q", "{there}/orders.git", "HEAD:main", quietly=True)


def told(way: Way, *repositories: str) -> None:
    """Keep what a repository holds; its own files name the way's folder and the times of today."""
    for repository in repositories:
        git(way, "-C", repository, "log", "--all", "--format=%H %D %s")
        git(way, "-C", repository, "fsck", "--full", "--strict")
        git(way, "-C", repository, "status", "--short", "--branch")
        shutil.rmtree(way.job / repository / ".git")
    shutil.rmtree(way.there / "orders.git")


@case(GROUP, GIT, "clone over `ssh://` and over `HOST:PATH`, fetch, `ls-remote`, `archive --remote`")
def clone(way: Way) -> None:
    prepare(way)
    assert git(way, "clone", "-q", "ssh://target{there}/orders.git", "here/one").status == 0
    ssh = "core.sshCommand=ssh -F {job}/ssh_config"
    done = way.run(
        "git", "-c", ssh, "clone", "-q", "-b", "main", "target:{there}/orders.git", "here/two", env=ALONE
    )
    assert done.status == 0
    git(way, "-C", "here/source", "commit", "-q", "--allow-empty", "-m", "later", quietly=True)
    git(
        way, "-C", "here/source", "push", "-q", "{there}/orders.git", "HEAD:main", "HEAD:second", quietly=True
    )
    assert git(way, "-C", "here/one", "fetch", "-q").status == 0
    assert git(way, "-C", "here/one", "merge", "-q", "--ff-only", "origin/main").status == 0
    assert git(way, "ls-remote", "target:{there}/orders.git").stdout.count(b"\n") == 3
    archive = ("archive", "--remote=target:{there}/orders.git", "--output=here/a.tar", "main", "file-2")
    assert git(way, *archive).status == 0
    told(way, "here/one", "here/two", "here/source")


@case(GROUP, GIT, "shallow clone, deepened later; clone of part of the objects")
def shallow(way: Way) -> None:
    prepare(way)
    for allowed in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(way, "-C", "there/orders.git", "config", allowed, "true", quietly=True)
    assert git(way, "clone", "-q", "--depth", "1", "ssh://target{there}/orders.git", "here/one").status == 0
    assert git(way, "-C", "here/one", "rev-list", "--count", "HEAD").stdout == b"1\n"
    assert git(way, "-C", "here/one", "fetch", "-q", "--unshallow").status == 0
    assert git(way, "-C", "here/one", "rev-list", "--count", "HEAD").stdout == b"3\n"
    part = ("clone", "-q", "--filter=blob:none", "target:{there}/orders.git", "here/two")
    assert git(way, *part).status == 0
    told(way, "here/one", "here/two", "here/source")


@case(GROUP, GIT, "push: a new branch, a tag, by force, a branch deleted; what hooks say; a refused push")
def push(way: Way) -> None:
    prepare(way)
    hook = way.there / "orders.git" / "hooks" / "update"
    hook.write_text('#!/bin/sh\necho "hook: $1"\ncase $1 in *forbidden) echo no >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    source = ("-C", "here/source", "push", "--porcelain", "ssh://target{there}/orders.git")
    git(way, "-C", "here/source", "tag", "v1", quietly=True)
    git(way, "-C", "here/source", "commit", "-q", "--amend", "-m", "changed", quietly=True)
    words = (("HEAD:new", "v1"), ("HEAD:main",), ("--force", "HEAD:main"), (":new",), ("HEAD:forbidden",))
    assert [git(way, *source, *each).status for each in words] == [0, 1, 0, 0, 1]
    told(way, "here/source")


@case(GROUP, GIT, "what fails: no such repository, a path that is none")
def failures(way: Way) -> None:
    (way.there / "folder").mkdir()
    for path in ("missing.git", "folder"):
        assert git(way, "clone", "-q", f"ssh://target{{there}}/{path}", "here/x").status == 128
