"""Judge whether a value that follows a telling name is one: no variable, no placeholder, no word of prose or code.

In      the value's bytes
Out     bool; each judge fits one way in which names and values are written
Source  the ways of .env, YAML, JSON, INI and of programming languages
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

_WORDS = frozenset(
    b"null none nil true false yes no on off undefined default unset empty required optional string str text bytes "
    b"byte char int integer bool boolean object number float any auto enabled disabled password passwd passphrase "
    b"secret token apikey key value example sample redacted masked hidden removed prompt ask stdin "
    b"file env environment unknown invalid valid missing incorrect failed success expired basic bearer digest "
    b"hex base64 utf8 utf-8 sha1 sha256 sha512 md5 ed25519 rsa ecdsa aes-256-gcm aes-256-cbc public private".split()
)
_PLACEHOLDER = re.compile(
    rb"""(?ix)
    [$%<{\[(|] | ["'`] | \\[$"'] | (?:your|my|the|some|insert|enter|put|replace)[-_ .]?\w
    | x{3,} | \*{2,} | \.{2,} | -{2,}
    | .*(?:\$\{|\{\{|\}\}|<[a-z]|\$\(|%s|%d|%\() | (?:.)?(?:example|placeholder|redacted|changeit_here)$
    """
)
_MASKED = re.compile(rb"\[[a-z0-9-]+(?:: ?[0-9a-f]+)?\]")
_CODE = re.compile(
    rb"""(?x)
      [A-Za-z_][\w]*(?:\.|::|->)[A-Za-z_][\w.:>-]*        # a.b, a::b, a->b
    | .*\(\)? | .*\)+[;,]? | .*(?:\[|\]|\{|\}) .* | .*(?:=>|==|!=|&&|\|\||\+=|<-).*
    | (?:u?int|size|char|void|std)\w*\*?
    | [A-Za-z_]\w*\s*[*+|&]\s*\w+ | [-+]?\d+(?:\.\d+)?[a-zA-Z%]{0,3} | 0x[0-9a-fA-F]{1,8}
    """
)
_PATH = re.compile(
    rb"(?:~|\.{1,2})?/[\w.@-]*(?:/[\w.@*{}-]*)*/?|[A-Za-z]:\\.*|[a-z][a-z0-9+.-]{1,12}://.*"
    rb"|[\w.-]+/[\w./-]+\.[a-z]{1,5}"
)
_IDENTIFIER = re.compile(
    rb"[A-Za-z]+(?:[-_. ][A-Za-z]+)*[0-9]?|[A-Z]?[a-z]+(?:[A-Z][a-z]+)+[0-9]?|[A-Z][A-Z0-9_]*|_+\w*"
)
_CAMEL = re.compile(rb"[A-Z]*[a-z]+[0-9]*(?:[A-Z]+[a-z]{2,}[0-9]*)*[A-Z]{0,3}[0-9]*")
_NUMBERED = re.compile(rb"[a-z]{4,}[0-9]{1,4}")
_NUMBERED_WORD = re.compile(
    rb"(?:pass|pwd|secret|token|key|user|name|test|arg|val|str|foo|bar|data|var|sha|md|utf|base|int|uint|float|text"
    rb"|line|item|file|auth)"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+")
_DATE = re.compile(
    rb"\d{2,4}[-/.]\d{1,2}[-/.]\d{1,4}\S*|\d{1,2}:\d{2}(?::\d{2})?\S*|v?\d+(?:\.\d+){1,3}\S{0,8}"
)


def entropy(value: bytes) -> float:
    """Return the bits a character carries, were each drawn as often as it occurs here."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values())


def is_given(value: bytes) -> bool:
    """Say whether this is a value at all, of any strength, and not a variable, a placeholder or a mask."""
    if len(value) < 3 or len(set(value)) < 3:
        return False
    return not (_PLACEHOLDER.match(value) or _MASKED.fullmatch(value) or value.lower() in _WORDS)


def is_set(value: bytes) -> bool:
    """Judge `DB_PASSWORD=value`, written so in capitals: any word will do."""
    return is_given(value) and not _is_path(value) and not (_CODE.fullmatch(value) and not value.isdigit())


def is_quoted_password(value: bytes) -> bool:
    """Judge `password = "value"`: a literal, so it may be a word, but not prose, a type or a key of a dictionary."""
    if not is_given(value) or _is_path(value) or (value.endswith((b":", b"=")) and len(value) < 20):
        return False
    if _is_jumbled(value) or _is_scrambled(value):
        return True
    if b" " in value:
        return value.count(b" ") <= 1 and is_mixed(value.replace(b" ", b""))
    if value.isdigit():
        return len(value) >= 4
    if _CODE.fullmatch(value):
        return is_mixed(value) and b"(" not in value and entropy(value) > 3
    return not _IDENTIFIER.fullmatch(value)


def is_bare_password(value: bytes) -> bool:
    """Judge `password=value` or `password: value` without quotes: code and prose look the same."""
    if not is_given(value) or value[:1] in b"*&!@" or _is_path(value):
        return False
    value = value.rstrip(b"=") or value  # base64 may end so
    if _is_jumbled(value) or _is_scrambled(value):
        return True
    if _CODE.fullmatch(value) or _DATE.fullmatch(value):
        return value.isdigit() and 4 <= len(value) <= 12
    if _NUMBERED.fullmatch(value):
        return not _NUMBERED_WORD.match(value)
    return not _IDENTIFIER.fullmatch(value) and is_mixed(value)


def is_random(value: bytes) -> bool:
    """Judge the value of a name that tells little (`token`, `key`, `auth`): it must look drawn, not written."""
    core = value.rstrip(b"=")
    if len(core) < 8 or not is_given(core) or _is_path(core):
        return False
    if _is_jumbled(core):
        return True
    if _DATE.fullmatch(core) or _CODE.fullmatch(core) or core.isdigit() or b" " in core:
        return False
    return not _IDENTIFIER.fullmatch(core) and is_mixed(core) and _has_digits(core)


def is_mixed(value: bytes) -> bool:
    """Say whether the value has characters of two kinds at least: letters, digits, signs."""
    letters = any(65 <= byte <= 90 or 97 <= byte <= 122 for byte in value)
    digits = any(48 <= byte <= 57 for byte in value)
    signs = any(byte in b"!#$%^&*+=?@~/\\|" for byte in value)
    return letters + digits + signs >= 2


def _has_digits(value: bytes) -> bool:
    digits = sum(48 <= byte <= 57 for byte in value)
    return digits >= 2 and entropy(value) >= 2.8


def _is_path(value: bytes) -> bool:
    """Say whether this is a path or a URL; base64 has slashes too, but no words between them."""
    return _PATH.fullmatch(value) is not None and not any(
        len(part) >= 20 and _is_jumbled(part) for part in value.rstrip(b"=").split(b"/")
    )


def _is_scrambled(value: bytes) -> bool:
    """Say whether letters change case in a way that no name does: neither CamelCase nor an acronym in one."""
    if len(value) < 8 or not value.isalnum():
        return False
    upper = [65 <= byte <= 90 for byte in value]
    changes = sum(a != b for a, b in itertools.pairwise(upper))
    return changes >= 4 and not _CAMEL.fullmatch(value)


def _is_jumbled(value: bytes) -> bool:
    """Say whether letters and digits look drawn: long, and changing between capitals, small ones and digits."""
    if len(value) < 16 or not _BASE64.fullmatch(value):
        return False
    kinds = [65 <= byte <= 90 or 2 * (48 <= byte <= 57) for byte in value]
    changes = sum(a != b for a, b in itertools.pairwise(kinds))
    return entropy(value) >= 3 and changes * 4 >= len(value)
