"""Name what can go wrong with evidence, grouped by who must act.

RecorderError
├── StoreError          the operator must act: disk full, locked, read-only, not a recording database
│   └── StoreClosed     ours: an append after the store was closed
├── SessionBroken       ours: an append to a session whose last commit failed; the session must end
├── UnknownSession      the reader named a session that is not there
├── KeySetError         the reader's key file is not a JWK Set of Ed25519 keys
└── CastDecodeError     the file given is not an asciicast
"""

from __future__ import annotations


class RecorderError(Exception):
    """Root of this package's errors; `code` is stable and `public` may be shown to the peer."""

    code = "recorder"

    def __init__(self, message: str, *, public: str = "the session recorder is not available") -> None:
        super().__init__(message)
        self.public = public


class StoreError(RecorderError):
    """The database cannot be opened, read or written; the text says which and why."""

    code = "store"


class StoreClosed(StoreError):
    """Something was appended after the store had been closed."""

    code = "store-closed"


class SessionBroken(RecorderError):
    """A commit of this session failed before, so nothing more may be appended or released."""

    code = "session-broken"


class UnknownSession(RecorderError):
    """No session has this id (or more than one begins with it)."""

    code = "unknown-session"


class KeySetError(RecorderError):
    """The key file is not a JWK Set (RFC 7517 section 5) with Ed25519 keys (RFC 8037)."""

    code = "key-set"


class CastDecodeError(RecorderError):
    """The text is not asciicast v2 or v3; the message has the 1-based line number."""

    code = "cast-decode"
