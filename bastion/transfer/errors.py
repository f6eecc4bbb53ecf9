"""Name what is wrong with a file transfer.

TransferError           the client's or the target's stream is malformed, or past a bound: the session ends
└── OperationDenied     the policy denies a file of an scp stream, which has no answer for one file: the command ends
"""

from __future__ import annotations

from bastion.errors import BastionError
from bastion.transfer.tap import Tapped


class TransferError(BastionError):
    """The stream cannot be told apart from an attempt to get round the recorder.

    `tapped` is what the same call found before the fault: it may still be recorded and then passed on.
    """

    code = "transfer"

    def __init__(self, public: str, *, tapped: Tapped | None = None) -> None:
        super().__init__(public)
        self.tapped = tapped or Tapped()


class OperationDenied(TransferError):
    """The policy said no to a file, and the protocol has no way to say so and go on: the command ends with `status`."""

    code = "denied"

    def __init__(self, public: str, *, status: int = 126) -> None:
        super().__init__(public)
        self.status = status
