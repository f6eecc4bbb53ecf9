"""Run programs by one way to a target, and keep what came of it: what they printed, their status, the files they left.

A way has a folder, and in it all that a client needs under the same names as the other way's, so that a program is run
with the very same words by both: `ssh -F ssh_config target …`.

    ssh_config     `target` is the sshd; `rekeying` another one, which renews its session keys every megabyte;
                   `permissive` one that takes any environment, forwards X11 and shows a banner
    key            the private key; key-cert.pub beside it
    known_hosts    who vouches for the host keys
    here/          files of the client
    there/         files of the target
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.conftest import World

SHOWN_BYTES = 8192  # longer output is compared by its length and digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and what it printed; the way's own folder reads `@` in it."""

    words: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes


def until(test: str) -> str:
    """Return what a shell on the target does to wait for something, but not for ever."""
    return f"for _ in $(seq 300); do {test} && break; sleep 0.1; done"


class Way:
    """One way to the target. What is run by it and what it leaves behind is kept, to be compared."""

    def __init__(
        self, world: World, folder: Path, *, login: str, jump_port: int, target: tuple[str, int]
    ) -> None:
        """Begin with an empty folder; `target` is its name and port as seen from the jump."""
        self.world = world
        self.job = folder
        self.here, self.there = folder / "here", folder / "there"
        self.login = login
        self.jump_port = jump_port
        self.target_name, self.target_port = target
        self.seen: list[Any] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self._started = 0.0
        folder.mkdir(parents=True)

    def certify(self, key: str, seconds: int) -> None:
        """Get a certificate of so many seconds for a key, which is made if it is not there."""
        raise NotImplementedError

    def jump_process(self) -> int:
        """Return the process that listens for jumps."""
        raise NotImplementedError

    def jump_processes(self) -> list[int]:
        """Return all processes that serve jumps."""
        found = [self.jump_process()]
        for parent in found:
            below = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True)
            found += [int(it) for it in below.stdout.split()]
        return found

    def _make_key(self, key: str) -> None:
        if not (self.job / key).exists():
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, quietly=True)

    def clear(self) -> None:
        """Forget what was seen, and begin with empty folders."""
        self.seen = []
        for folder in (self.here, self.there):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self._started = time.time()

    def run(
        self,
        *words: str | bytes,
        stdin: bytes | int = b"",
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        quietly: bool = False,
    ) -> Ended:
        """Run a program in the way's folder, to be compared unless `quietly`; `{there}` in a word is that folder."""
        given: dict[str, Any] = {"stdin": stdin} if isinstance(stdin, int) else {"input": stdin}
        argv = [self.filled(word) for word in words]
        done = subprocess.run(
            argv,
            cwd=self.job,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "vt220", **(env or {})},
            **given,
        )
        ended = Ended(
            words=tuple(os.fsdecode(word)[:200] for word in words),
            status=done.returncode,
            stdout=self.plainly(done.stdout),
            stderr=self.plainly(done.stderr),
        )
        if not quietly:
            self.saw(ended.words, (ended.status, _short(ended.stdout), _short(ended.stderr)))
        return ended

    def ssh(self, *words: str | bytes, **options: Any) -> Ended:
        """Run `ssh -F ssh_config` with these words."""
        return self.run("ssh", "-F", "ssh_config", *words, **options)

    def together(self, *calls: tuple[str | bytes, ...], **options: Any) -> list[Ended]:
        """Run programs that have nothing to do with each other, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda words: self.run(*words, quietly=True, **options), calls))
        for ended in done:
            self.saw(ended.words, (ended.status, _short(ended.stdout), _short(ended.stderr)))
        return done

    def each(self, *commands: str | bytes, **options: Any) -> list[Ended]:
        """Run each command on the target, by an ssh of its own, two at a time."""
        calls = [("ssh", "-F", "ssh_config", "target", command) for command in commands]
        return self.together(*calls, **options)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in the way's folder, pipes on all three streams unless said otherwise; nothing is kept."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started = subprocess.Popen(
            [self.filled(word) for word in words],
            cwd=self.job,
            **{"env": {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "vt220"}, **pipes, **options},
        )
        self._running.append(started)
        return started

    def end(self) -> None:
        """Kill what was started and still runs."""
        for started in self._running:
            if started.poll() is None:
                started.kill()
                started.wait(timeout=10)
        self._running = []

    def saw(self, what: Any, value: Any) -> None:
        """Keep something else, to be compared."""
        self.seen.append((what, value))

    def files(self) -> dict[str, tuple[Any, ...]]:
        """Return all files here and there: kind, mode, time (`now` if since the case began) and content."""
        return {
            f"{folder.name}/{path}": about
            for folder in (self.here, self.there)
            for path, about in self.files_in(folder).items()
        }

    def files_in(self, folder: Path) -> dict[str, tuple[Any, ...]]:
        """Return all files in a folder, as `files` does."""
        return {os.fsdecode(it.relative_to(folder)): self._file(it) for it in sorted(folder.rglob("*"))}

    def plant(self, tree: Path) -> None:
        """Make a tree of files of many kinds, modes and names, with times long ago."""
        (tree / "deep" / "er").mkdir(parents=True)
        (tree / "none").mkdir()
        for name, content in {
            "empty": b"",
            "bytes": bytes(range(256)) * 20,
            "large": random.Random(3).randbytes(700_001),
            "run.sh": b"#!/bin/sh\necho run\n",
            "a name 'with' \"quotes\" *?[x] $HOME": b"odd\n",
            "-dash": b"dash\n",
            "ünïcödé ☂": b"unicode\n",
            "deep/er/.hidden": b"hidden\n",
        }.items():
            (tree / name).write_bytes(content)
        (tree / "link").symlink_to("bytes")
        (tree / "dangling").symlink_to("nowhere")
        for number, path in enumerate(sorted(tree.rglob("*"), reverse=True)):
            if not path.is_symlink():
                path.chmod(
                    {"run.sh": 0o755, "bytes": 0o400, "empty": 0o666, "none": 0o700}.get(
                        path.name, path.stat().st_mode & 0o777
                    )
                )
            os.utime(path, (1_000_000_000 + number, 1_100_000_000 + number), follow_symlinks=False)
        os.utime(tree, (1_000_000_000, 1_000_000_000))

    def filled(self, word: str | bytes) -> bytes:
        """Return a word with the names of the folders filled in."""
        found = os.fsencode(word)
        for name in ("here", "there", "job"):
            found = found.replace(f"{{{name}}}".encode(), os.fsencode(getattr(self, name)))
        return found

    def plainly(self, output: bytes) -> bytes:
        """Return output without the name of the way's own folder."""
        return output.replace(os.fsencode(self.job), b"@")

    def _file(self, path: Path) -> tuple[Any, ...]:
        about = path.lstat()
        when: Any = "now" if about.st_mtime >= self._started - 1 else int(about.st_mtime)
        if path.is_symlink():
            return "link", self.plainly(os.fsencode(path.readlink()))
        if path.is_file():
            return "file", oct(about.st_mode & 0o7777), about.st_nlink, when, _short(path.read_bytes())
        return "folder" if path.is_dir() else "other", oct(about.st_mode & 0o7777), when


def _short(data: bytes) -> Any:
    if len(data) <= SHOWN_BYTES:
        return data
    return len(data), hashlib.sha256(data).hexdigest()
