"""Send messages by Apprise, in a process of its own: a service that hangs is killed with it, and blocks nobody.

The bastion itself never imports Apprise. URLs, which are secrets, go in by standard input; what comes back is a word
and an HTTP status, because what Apprise logs may have a URL in it.

In      lines of JSON: {"urls", "notice"}, or {"urls", "check": true}
Out     one line of JSON for each: {"taken": [which URLs took it], "said"}; or {"unknown": [numbers of URLs]}
Errors  none: what Apprise raises is one more attempt that failed
Source  Apprise 2.3
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

import apprise

from bastion.core_dumps import leave_no_core_dumps
from bastion.notices.notice import Notice
from bastion.notices.texts import DIALECTS, Dialect, compose

_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
ROOM = 200  # of a body, at least: with less nothing can be said


class _Statuses(logging.Handler):
    """Hears what Apprise logs, and keeps of it no more than HTTP statuses."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found += _STATUS.findall(record.getMessage())


def asset() -> apprise.AppriseAsset:
    """Return how the bastion appears: under its own name, without pictures from elsewhere, nothing kept on disk."""
    return apprise.AppriseAsset(
        app_id="bastion",
        app_desc="bastion",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        interpret_emojis=False,
    )


def send(url: str, notice: Notice) -> tuple[bool, str]:
    """Send a notice to one URL; return whether it was taken, and what is to be said of that."""
    services = apprise.Apprise(asset=asset())
    if not services.add(url):
        return False, "is no URL that Apprise knows"
    (service,) = services
    dialect = DIALECTS.get(url.partition("://")[0].lower(), Dialect.STRICT)
    if service.resolve_format(apprise.NotifyFormat.TEXT) is apprise.NotifyFormat.MARKDOWN:
        dialect = Dialect.STRICT  # the URL asks for it
    room = max(ROOM, service.body_maxlen - 100)
    message = compose(notice, dialect, room, service.title_maxlen)
    heard = _Statuses()
    log = logging.getLogger("apprise")
    log.addHandler(heard)
    try:
        taken = bool(
            services.notify(body=message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT)
        )
    finally:
        log.removeHandler(heard)
    name = str(service.service_name)
    if taken:
        return True, f"{name} took it"
    return (
        False,
        f"{name} answered with status {heard.found[-1]}" if heard.found else f"{name} did not take it",
    )


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what came of one line."""
    urls: list[str] = asked["urls"]
    if asked.get("check"):
        known = apprise.Apprise(asset=asset())
        return {"unknown": [at for at, url in enumerate(urls, 1) if not known.add(url)]}
    notice = Notice.from_json(asked["notice"])
    done = [send(url, notice) for url in urls]
    said = "; ".join(dict.fromkeys(told for _taken, told in done))
    return {"taken": [taken for taken, _told in done], "said": said}


def main() -> None:
    """Serve lines until there are no more."""
    leave_no_core_dumps()
    logging.getLogger("apprise").propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)  # noqa: T201 - that is how it answers


if __name__ == "__main__":
    main()
