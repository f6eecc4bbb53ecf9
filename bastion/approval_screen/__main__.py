"""Draw a live screen for somebody who has come over SSH: `python -m bastion.approval_screen FD`.

In      the number of a connected socket that the bastion has left open; a pseudo-terminal as standard input and output
Out     the screen; an exit status
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
import termios

from bastion.approval_screen.terminal import run
from bastion.core_dumps import leave_no_core_dumps

NICE = 5  # sessions come first


def main() -> None:
    """Take the pseudo-terminal as this session's own, so that its size is told, and run."""
    leave_no_core_dumps()
    os.nice(NICE)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        fcntl.ioctl(sys.stdin.fileno(), termios.TIOCSCTTY, 0)
    sys.exit(run(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
