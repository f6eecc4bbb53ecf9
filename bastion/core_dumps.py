"""Leave no picture of this process's memory behind: keys, tokens and what masking has yet to see are in it.

A limit of 0 keeps the system from writing a core file. Where cores are piped to a program that limit means nothing:
then it counts that the process is not dumpable, which also keeps other processes of the same user from reading its
memory. Neither reaches programs that it starts beyond the limit, so every program of the bastion asks for itself.

Errors  OSError: the system refused
Source  core(5), prctl(2): PR_SET_DUMPABLE
"""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4


def leave_no_core_dumps() -> None:
    """Have nothing of this process's memory written, now or when it crashes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"cannot keep memory out of core dumps: {os.strerror(number)}")
