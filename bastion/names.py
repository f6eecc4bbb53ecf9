"""Say which names operators may give, so that none can act in a certificate, a key id or a known_hosts line.

In      strings from a TOML file
Out     the same string, if it may be used
Errors  ValueError, whose text says what was got and what was expected
Source  sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; OpenSSH PROTOCOL.certkeys (principals, key id)
"""

from __future__ import annotations

import re

from policies.problem import shown

LOGIN_NAME = "login"  # `ssh login@bastion certificate`: never a target

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_IDENTITY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ISSUER = re.compile(r"[a-z0-9-]{1,64}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_target_name(text: str) -> str:
    """Return a target's name: it stands in host certificates, in known_hosts and behind `-J`."""
    if text.lower() == LOGIN_NAME:
        raise ValueError(
            f"got {shown(text)}, which is where certificates are asked for, expected another name"
        )
    return _matching(text, _TARGET, 'a name of letters, digits, ".", "_" and "-" such as "web-1"')


def check_identity_name(text: str) -> str:
    """Return an identity's name: certificates bear it as principal, and as `NAME/RUN` in the key id."""
    expected = 'at most 64 lower-case letters, digits, ".", "_" and "-" such as "orders-deployer"'
    return _matching(text, _IDENTITY, expected)


def check_issuer_name(text: str) -> str:
    """Return an issuer's name: it is put before the groups of its tokens, as `NAME/GROUP`."""
    return _matching(text, _ISSUER, 'lower-case letters, digits and "-" such as "github"')


def check_channel_name(text: str) -> str:
    """Return a notification channel's name: it stands beside issuers in the aliases of persons."""
    return _matching(text, _ISSUER, 'lower-case letters, digits and "-" such as "dba-slack"')


def check_group(text: str) -> str:
    """Return the name of a group that an identity is given; only groups out of tokens have a "/"."""
    return _matching(text, _GROUP, 'a group of letters, digits, ".", "_" and "-" such as "ci" (no "/")')


def check_login(text: str) -> str:
    """Return a user name on a target: it becomes the one principal of a certificate."""
    if not text or text.startswith("-") or "," in text or " " in text or not text.isprintable():
        raise ValueError(
            f'got {shown(text)}, expected a user name such as "deploy": no space, comma, leading "-"'
        )
    return text


def check_text(text: str) -> str:
    """Return one line of printable text that is not empty."""
    if not text.strip() or not text.isprintable():
        raise ValueError(f"got {shown(text)}, expected one line of printable text")
    return text


def _matching(text: str, pattern: re.Pattern[str], expected: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"got {shown(text)}, expected {expected}")
    return text
