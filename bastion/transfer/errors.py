"""Name what is wrong with a file transfer.

TransferError   the client's or the target's stream is malformed, or past a bound: the session ends
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
