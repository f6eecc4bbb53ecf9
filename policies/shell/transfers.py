"""Know which words of programs that move files over a network are local files.

In      the words of a command
Out     (mode, word): mode "r", "w" or "rw"
Source  curl(1), wget(1), scp(1), rsync(1), sftp(1)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from policies.facts import Word
from policies.shell.options import Takes, given, tail

Touched = Iterator[tuple[str, Word]]


def of_curl(words: Sequence[Word]) -> Touched:
    """Yield the files of curl."""
    found = given(words[1:], CURL)
    for option, value in found.options:
        if value is None:
            continue
        text = value.text
        if option in ("o", "output", "D", "dump-header", "c", "cookie-jar", "trace", "trace-ascii", "stderr"):
            if text != "-":
                yield "w", value
        elif option in (
            "T",
            "upload-file",
            "K",
            "config",
            "E",
            "cert",
            "key",
            "cacert",
            "netrc-file",
            "b",
            "cookie",
        ):
            if text not in ("-", ".") and not (option in ("b", "cookie") and "=" in text):
                yield "r", value
        elif option in ("d", "data", "data-binary", "data-ascii", "json", "H", "header"):
            if text.startswith("@") and text != "@-":
                yield "r", tail(value, 1)
        elif option == "data-urlencode":
            if "@" in text and "=" not in text.partition("@")[0]:
                yield "r", tail(value, text.find("@") + 1)
        elif option in ("F", "form"):
            at = max(text.find("=@"), text.find("=<"))
            if at >= 0:
                yield (
                    "r",
                    Word(
                        text[at + 2 :].partition(";")[0], value.form, value.prefix[at + 2 :].partition(";")[0]
                    ),
                )


CURL = Takes(
    "oTdFHKEXAebcmuUxyYzQPrtwDhC",
    "output upload-file data data-raw data-binary data-ascii data-urlencode json form form-string header config cert "
    "key cacert capath request user-agent referer cookie cookie-jar max-time user proxy proxy-user connect-timeout "
    "url retry retry-delay retry-max-time resolve interface write-out dump-header netrc-file trace trace-ascii stderr "
    "limit-rate range socks5 socks5-hostname socks4 unix-socket abstract-unix-socket dns-servers doh-url "
    "ciphers pinnedpubkey "
    "mail-from mail-rcpt output-dir max-filesize time-cond oauth2-bearer aws-sigv4 connect-to local-port proto",
)
WGET = Takes(
    "oaeiBtOTwQPUDARIlX",
    "output-file append-output execute input-file base tries output-document timeout wait quota directory-prefix "
    "user-agent user password header post-data post-file body-data body-file method domains accept reject level "
    "load-cookies save-cookies ca-certificate certificate private-key limit-rate use-askpass config proxy-user",
)


def of_wget(words: Sequence[Word]) -> Touched:
    """Yield the files of wget."""
    found = given(words[1:], WGET)
    for option, value in found.options:
        if value is None or value.text == "-":
            continue
        if option in (
            "O",
            "output-document",
            "o",
            "output-file",
            "a",
            "append-output",
            "P",
            "directory-prefix",
            "save-cookies",
        ):
            yield "w", value
        elif option in (
            "i",
            "input-file",
            "post-file",
            "body-file",
            "load-cookies",
            "certificate",
            "private-key",
            "config",
        ):
            yield "r", value


_REMOTE = re.compile(r"(?:[^/:]*@)?(?:\[[^\]]*\]|[^/:]+):")
COPIES = {
    "scp": Takes("cFiJloPSDX"),
    "rsync": Takes(
        "efTBM@",
        "rsh rsync-path exclude include exclude-from include-from files-from filter bwlimit partial-dir log-file "
        "password-file temp-dir backup-dir suffix compare-dest copy-dest link-dest port timeout chmod chown max-size "
        "min-size out-format info debug block-size address sockopts remote-option iconv modify-window outbuf "
        "write-batch read-batch only-write-batch compress-choice compress-level skip-compress checksum-choice "
        "checksum-seed contimeout max-delete groupmap usermap stop-after stop-at early-input protocol copy-as stderr",
    ),
    "sftp": Takes("BbcDFiJloPRSsX"),
    "pscp": Takes("PilS"),
}


def of_copy(words: Sequence[Word]) -> Touched:
    """Yield the files of scp, rsync, sftp and pscp."""
    name = words[0].text
    found = given(words[1:], COPIES[name])
    for option, value in found.options:
        if value is not None and option in (
            "i",
            "F",
            "password-file",
            "files-from",
            "exclude-from",
            "include-from",
            "b",
        ):
            yield "r", value
        elif value is not None and option in ("log-file", "backup-dir"):
            yield "w", value
    for at, word in enumerate(found.operands):
        if (
            word.text.startswith(("rsync://", "scp://", "sftp://"))
            or _REMOTE.match(word.text)
            or name == "sftp"
        ):
            continue
        yield ("w" if at == len(found.operands) - 1 and at else "r"), word
