"""Know the secrets that stories plant, and look for them wherever the bastion of a story has written (T41).

In      secrets, made up by the stories' files while they are loaded; the folder of a World whose bastion has stopped
Out     what was found, and where: nothing, unless something that masks should have taken was written
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bastion.keyring import load_key_set
from recorder.evidence import Evidence, Filter

_PLANTED: set[bytes] = set()


def made_up(*halves: str) -> str:
    """Return a made-up secret, that no bastion of any story may write; it is told in two, as it is none of ours."""
    secret = "".join(halves)
    _PLANTED.add(secret.encode())
    return secret


def written(folder: Path) -> list[str]:
    """Return each planted secret that is in a file of the bastion's, or in a recording once it is unpacked."""
    wanted = re.compile(b"|".join(map(re.escape, sorted(_PLANTED))) or b"(?!)")
    longest = max(map(len, _PLANTED), default=1)
    found = set()
    last: dict[str, bytes] = {}
    for place, piece in _pieces(folder):
        text = last.get(place, b"") + piece  # a secret may lie across two events of one stream
        found |= {(secret.decode(), place) for secret in wanted.findall(text)}
        last[place] = text[-longest:]
    return [f"{secret} in {place}" for secret, place in sorted(found)]


def _pieces(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in [*(folder / "var").rglob("*"), *folder.glob("*.log")]:
        if path.is_file():
            yield str(path), path.read_bytes()
    database, keys = folder / "var" / "recordings.sqlite", folder / "keys" / "seal.jwks"
    if not (database.exists() and keys.exists()):
        return
    evidence = Evidence(database, load_key_set(keys))
    try:
        for entry in evidence.audit():
            yield "the audit chain", _text(entry.detail)
        for row in evidence.sessions(Filter()):
            for event in evidence.events(row.id):
                yield f"{row.id}, {event.kind.value} {event.channel}", event.data
                yield f"{row.id}, details", _text(event.detail)
    finally:
        evidence.close()


def _text(detail: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(detail), ensure_ascii=False, default=str).encode("utf-8", "surrogateescape")
