"""Read the secrets of channels and persons from the files that the configuration names; show none of them anywhere.

In      Config
Out     Secrets, whose repr says nothing
Errors  ConfigError, which names key and file, and never what is in it
Source  docs/notifications.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bastion.addresses import is_loopback
from bastion.config_errors import ConfigError
from bastion.notices.signing import key_bytes
from bastion.settings import ChannelSettings, Config
from policies.problem import Problem

FILE_BYTES = 64 * 1024
URLS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecrets:
    """What a channel needs and nobody may see."""

    urls: tuple[str, ...] = field(repr=False)
    key: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Secrets by the names of channels, and the keys of persons' answers by theirs."""

    channels: Mapping[str, ChannelSecrets] = field(repr=False)
    persons: Mapping[str, bytes] = field(repr=False)


class _Unreadable(Exception):
    """A file holds no such secret; the text does not say what it holds."""


def read_secrets(config: Config) -> Secrets:
    """Return what the files say; raise ConfigError with all that is wrong."""
    problems: list[Problem] = []
    channels: dict[str, ChannelSecrets] = {}
    persons: dict[str, bytes] = {}
    file = str(config.source)
    for at, channel in enumerate(config.channels):
        urls: tuple[str, ...] = ()
        key = None
        try:
            urls = tuple(_urls(channel))
        except _Unreadable as error:
            problems.append(Problem(file, f"notify[{at}].url_file", f"{channel.url_file}: {error}"))
        try:
            key = _key(channel.key_file) if channel.key_file else None
        except _Unreadable as error:
            problems.append(Problem(file, f"notify[{at}].key_file", f"{channel.key_file}: {error}"))
        channels[channel.name] = ChannelSecrets(urls=urls, key=key)
    for at, person in enumerate(config.persons):
        if person.answer_key_file is None:
            continue
        try:
            key = _key(person.answer_key_file)
            others = {**persons, **{name: one.key for name, one in channels.items()}}
            twice = next((name for name, known in others.items() if known == key), None)
            if twice is not None:
                raise _Unreadable(f"holds the key of {twice} as well, expected one of this person alone")
            persons[person.name] = key
        except _Unreadable as error:
            problems.append(
                Problem(file, f"person[{at}].answer_key_file", f"{person.answer_key_file}: {error}")
            )
    if problems:
        raise ConfigError(problems)
    return Secrets(channels=channels, persons=persons)


def _urls(channel: ChannelSettings) -> Iterator[str]:
    """Yield the URLs of a channel."""
    lines = [line.strip() for line in _text(channel.url_file).splitlines()]
    urls = [line for line in lines if line and not line.startswith("#")]
    if channel.kind == "apprise":
        if not 1 <= len(urls) <= URLS:
            raise _Unreadable(f"has {len(urls)} URLs, expected 1 to {URLS}, one a line")
        if odd := [at for at, line in enumerate(lines, 1) if line in urls and "://" not in line]:
            raise _Unreadable(
                f"line {odd[0]} is no URL, expected one as Apprise has them, such as mailto://…"
            )
    elif len(urls) != 1 or not _may_post(urls[0]):
        raise _Unreadable("expected one https URL without a user (http on loopback only)")
    yield from urls


def _may_post(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    sound = bool(host) and port != 0 and "@" not in parts.netloc and url.isascii() and url.isprintable()
    return sound and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _key(file: Path) -> bytes:
    try:
        return key_bytes(_text(file))
    except ValueError as error:
        raise _Unreadable(str(error)) from None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as source:
            data = source.read(FILE_BYTES + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from None
    if len(data) > FILE_BYTES:
        raise _Unreadable(f"has more than {FILE_BYTES} bytes, expected a secret")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _Unreadable("is not UTF-8 text") from None
