"""Name what can go wrong in the bastion, grouped by who must act.

BastionError
├── OperatorError       the operator must act
│   ├── KeyringError    a key file is missing, unreadable or too open
│   └── ServeError      the server cannot start: address in use, data served by another process
├── Refused             the client asked for what it may not have; `public` is said to it
│   ├── UnknownTarget   no such target, or none that this identity may open
│   ├── Denied          a policy said no; exit status 126
│   └── Expired         the certificate no longer starts sessions
└── TargetError         the target's fault
    ├── Unreachable     no connection, or the handshake failed
    └── HostKeyMismatch the target showed another host key than the configuration names
"""

from __future__ import annotations


class BastionError(Exception):
    """Root of the application's errors; `code` is stable, `public` is all that the peer may read."""

    code = "bastion"

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self.public = public if public is not None else message


class OperatorError(BastionError):
    """Something that whoever runs the bastion must put right."""

    code = "operator"


class KeyringError(OperatorError):
    """A key file is missing, cannot be read, or is no key of the kind that it should be."""

    code = "keyring"


class ServeError(OperatorError):
    """The server cannot start."""

    code = "serve"


class Refused(BastionError):
    """The client asked for what it may not have."""

    code = "refused"


class UnknownTarget(Refused):
    """No target of this name, or none that this identity may open (the two are not told apart)."""

    code = "unknown-target"


class Denied(Refused):
    """The policy said no."""

    code = "denied"


class Expired(Refused):
    """The certificate may no longer start sessions."""

    code = "expired"


class TargetError(BastionError):
    """The target, or the way to it, is at fault."""

    code = "target"


class Unreachable(TargetError):
    """The target could not be reached, or refused the connection."""

    code = "unreachable"


class HostKeyMismatch(TargetError):
    """The target showed a host key that the configuration does not name."""

    code = "host-key-mismatch"
