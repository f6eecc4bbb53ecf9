"""Be the ssh of a test's rsync or git: run ssh, and copy what passes on each stream into a file.

In      the folder for the files `sent`, `got` and `error`; then ssh's words
Out     ssh's exit status
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import IO


def main() -> int:
    """Run ssh, and end when it ends, whether or not its input does."""
    folder = Path(sys.argv[1])
    pipe = subprocess.PIPE
    ssh = subprocess.Popen(["ssh", *sys.argv[2:]], stdin=pipe, stdout=pipe, stderr=pipe)
    assert ssh.stdin
    assert ssh.stdout
    assert ssh.stderr
    for ours in range(3):
        os.set_blocking(ours, True)  # rsync's sockets come to us as it set them
    inward = (0, ssh.stdin.fileno(), folder / "sent")
    Thread(target=_copy, args=inward, kwargs={"close": ssh.stdin}, daemon=True).start()
    outward = [(ssh.stdout.fileno(), 1, folder / "got"), (ssh.stderr.fileno(), 2, folder / "error")]
    threads = [Thread(target=_copy, args=each) for each in outward]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ssh.wait()


def _copy(source: int, to: int, path: Path, *, close: IO[bytes] | None = None) -> None:
    with path.open("wb", buffering=0) as copy:
        while data := os.read(source, 1 << 16):
            copy.write(data)
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(to, left) :]
            except BrokenPipeError:
                return
    if close is not None:
        close.close()


if __name__ == "__main__":
    sys.exit(main())
