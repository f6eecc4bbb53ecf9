"""Know which words of well-known programs name a host, or a store that lies elsewhere.

In      the words of a command
Out     the host: no scheme, user, port or path; `s3://bucket`, `gs://bucket`, `az://account` and `remote:` for stores
Source  the manuals of the programs that are named; RFC 3986
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from policies.facts import Word
from policies.shell.options import NONE, Takes, given, tail
from policies.shell.started import SSH
from policies.shell.transfers import COPIES, CURL, WGET

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:[^/@\s]*@)?(?P<host>\[[^\]]*\]|[^/:?#\s]*)")
_BARE = re.compile(r"(?:[^/@\s]*@)?(?P<host>\[[^\]]*\]|[^/:?#\s@]+)")
_REMOTE = re.compile(r"(?:[^/:@]*@)?(?P<host>\[[^\]]*\]|[^/:@]+):")
_STORES = ("s3", "gs", "az", "wasb", "wasbs", "abfs", "abfss", "oss", "cos", "b2", "r2", "minio")
_AZ_PLACES = frozenset(
    ["--account-name", "--container-name", "-c", "--destination", "-d", "--destination-container"]
)
_INSIDE = re.compile(r"\w[\w+.-]*://[^\s'\"<>|;)]+")


def hosts(name: str, words: Sequence[Word]) -> Iterator[Word]:
    """Yield the hosts that a command contacts by its words."""
    special = _SPECIAL.get(name)
    if special is not None:
        yield from special([Word(name), *words[1:]])


def of_url(word: Word) -> Iterator[Word]:
    """Yield the host of a word that is a URL."""
    known = word.prefix if word.form == "computed" else word.text
    found = _URL.match(known)
    if found is None:
        if _URL.match(word.text) or "://" in word.text:
            yield Word(word.text, "computed", "")
        return
    host = found["host"].strip("[]")
    scheme = found["scheme"].lower()
    if scheme in _STORES:
        host = f"{scheme}://{host}"
    if scheme == "file":
        return
    if word.form == "computed" and found.end() == len(known):
        yield Word(word.text, "computed", host)
    else:
        yield Word(host)


def urls_inside(text: str) -> Iterator[Word]:
    """Yield the hosts of the URLs that stand somewhere in a text."""
    for found in _INSIDE.finditer(text):
        yield from of_url(Word(found[0]))


def _bare(word: Word, pattern: re.Pattern[str] = _BARE) -> Iterator[Word]:
    known = word.prefix if word.form == "computed" else word.text
    found = pattern.match(known)
    if found is not None and not (word.form == "computed" and found.end() == len(known)):
        yield Word(found["host"].strip("[]"))
    elif word.form == "computed":
        yield Word(word.text, "computed", found["host"] if found else "")


def _url_or_bare(word: Word) -> Iterator[Word]:
    if "://" in word.text:
        yield from of_url(word)
    else:
        yield from _bare(word)


def _curl(words: Sequence[Word]) -> Iterator[Word]:
    found = given(words[1:], CURL)
    for word in [
        *found.operands,
        *found.values("url"),
        *found.values("x", "proxy", "socks5", "socks5-hostname", "socks4"),
    ]:
        yield from _url_or_bare(word)
    for word in found.values("connect-to", "resolve"):
        yield Word(word.text.rpartition(":")[2] if "resolve" else word.text, word.form)


def _wget(words: Sequence[Word]) -> Iterator[Word]:
    for word in given(words[1:], WGET).operands:
        yield from _url_or_bare(word)


def _copies(words: Sequence[Word]) -> Iterator[Word]:
    name = words[0].text
    found = given(words[1:], COPIES[name])
    for word in found.operands:
        if "://" in word.text:
            yield from of_url(word)
        elif name == "sftp":
            yield from _bare(word)
        else:
            yield from _colon(word)
    for word in found.values("J"):
        yield from _bare(word)


def _colon(word: Word) -> Iterator[Word]:
    known = word.prefix if word.form == "computed" else word.text
    found = _REMOTE.match(known)
    if found is not None:
        yield Word(found["host"].strip("[]"))
    elif word.form == "computed" and re.search(r"[\w}\"')]:", word.text) and "/" not in known:
        yield Word(word.text, "computed", known.rpartition("@")[2])


def _ssh(words: Sequence[Word]) -> Iterator[Word]:
    found = given(words[1:], SSH, stop=True)
    for word in found.operands[:1]:
        yield from _url_or_bare(word)
    for word in found.values("J", "W"):
        for part in word.text.split(","):
            yield from _bare(Word(part, word.form, word.prefix))


def _first(takes: Takes = NONE) -> Callable[[Sequence[Word]], Iterator[Word]]:
    def first(words: Sequence[Word]) -> Iterator[Word]:
        for word in given(words[1:], takes).operands[:1]:
            yield from _url_or_bare(word)

    return first


def _every(takes: Takes = NONE) -> Callable[[Sequence[Word]], Iterator[Word]]:
    def every(words: Sequence[Word]) -> Iterator[Word]:
        for word in given(words[1:], takes).operands:
            yield from _url_or_bare(word)

    return every


def _netcat(words: Sequence[Word]) -> Iterator[Word]:
    found = given(
        words[1:], Takes("cegGimopPqsTVwWxXI", "exec sh-exec proxy proxy-type source source-port wait")
    )
    if found.has("l", "listen"):
        return
    for word in [*found.operands[:1], *found.values("x", "proxy")]:
        if word.text.startswith("/"):
            continue
        yield from _bare(word)


def _socat(words: Sequence[Word]) -> Iterator[Word]:
    for word in words[1:]:
        found = re.match(
            r"(?i)(?:tcp|tcp4|tcp6|udp|udp4|udp6|openssl|ssl|sctp|socks4a?|proxy)(?:-connect|-sendto)?:([^:,]+)",
            word.text,
        )
        if found:
            yield Word(found[1].strip("[]"), word.form)


def _of_option(
    *names: str, takes: Takes, operands: bool = False
) -> Callable[[Sequence[Word]], Iterator[Word]]:
    def of_option(words: Sequence[Word]) -> Iterator[Word]:
        found = given(words[1:], takes)
        for word in found.values(*names):
            if not word.text.startswith("/"):
                yield from _url_or_bare(word)
        for word in found.operands:
            if "://" in word.text:
                yield from of_url(word)
            elif operands and word.text:
                host = re.search(r"host(?:addr)?=([^\s]+)", word.text)
                if host:
                    yield Word(host[1])

    return of_option


def _openssl(words: Sequence[Word]) -> Iterator[Word]:
    for option, value in itertools.pairwise(words):
        if option.text in ("-connect", "-proxy", "-host"):
            yield from _bare(value)


def _stores(words: Sequence[Word]) -> Iterator[Word]:
    for word in words[1:]:
        if "://" in word.text:
            yield from of_url(Word(word.text, word.form, word.prefix))
    texts = [word.text for word in words]
    if "--endpoint-url" in texts[:-1]:
        yield from of_url(words[texts.index("--endpoint-url") + 1])


def _aws(words: Sequence[Word]) -> Iterator[Word]:
    yield from _stores(words)
    for option, value in itertools.pairwise(words):
        if option.text == "--bucket":
            yield Word(f"s3://{value.text}", value.form, f"s3://{value.prefix}")


def _az(words: Sequence[Word]) -> Iterator[Word]:
    yield from _stores(words)
    if [word.text for word in words[1:2]] != ["storage"]:
        return
    for option, value in itertools.pairwise(words):
        if option.text in _AZ_PLACES and "://" not in value.text:
            yield Word(f"az://{value.text}", value.form, f"az://{value.prefix}")


def _rclone(words: Sequence[Word]) -> Iterator[Word]:
    for word in words[2:]:
        found = re.match(r"(:?[\w.+@ -]+):", word.text)
        if found and not word.text.startswith("-"):
            yield Word(found[1] + ":", word.form, found[1])


def _minio(words: Sequence[Word]) -> Iterator[Word]:
    if len(words) > 1 and words[1].text in (
        "cp",
        "mirror",
        "mv",
        "pipe",
        "ls",
        "cat",
        "rm",
        "stat",
        "find",
        "get",
        "put",
    ):
        for word in words[2:]:
            if not word.text.startswith(("-", "/", ".")) and "/" in word.text:
                yield Word(word.text.partition("/")[0] + "/", word.form)
    yield from _stores(words)


def _git(words: Sequence[Word]) -> Iterator[Word]:
    for word in words[1:]:
        if "://" in word.text:
            yield from of_url(word)
        elif re.match(r"[\w.-]+@[\w.-]+:", word.text):
            yield from _colon(word)


def _tar(words: Sequence[Word]) -> Iterator[Word]:
    for option, value in itertools.pairwise(words):
        if re.fullmatch(r"-?[A-Za-z]*f|--file", option.text) and re.match(r"[\w.@-]+:", value.text):
            yield from _colon(value)


def _powershells(words: Sequence[Word]) -> Iterator[Word]:
    for word in words[1:]:
        yield from urls_inside(word.text)


def _at_server(words: Sequence[Word]) -> Iterator[Word]:
    for word in words[1:]:
        if word.text.startswith("@"):
            yield from _bare(tail(word, 1))
    yield from _every(Takes("btqcpykf"))(words)


_SQL = Takes(
    "hPpUuSDdecfoLvTRF", "host port username user dbname database command execute file output password"
)
_SPECIAL: Mapping[str, Callable[[Sequence[Word]], Iterator[Word]]] = {
    "curl": _curl,
    "wget": _wget,
    "wget2": _wget,
    "aria2c": _every(Takes("doixsjkc", "dir out")),
    "axel": _every(Takes("onsS")),
    "http": _every(),
    "https": _every(),
    "lynx": _every(),
    "links": _every(),
    "w3m": _every(),
    "scp": _copies,
    "rsync": _copies,
    "sftp": _copies,
    "pscp": _copies,
    "ssh": _ssh,
    "autossh": _ssh,
    "slogin": _ssh,
    "ssh-copy-id": _first(Takes("ipo")),
    "ssh-keyscan": _every(Takes("pTtf")),
    "mosh": _first(),
    "nc": _netcat,
    "ncat": _netcat,
    "netcat": _netcat,
    "nc.traditional": _netcat,
    "nc.openbsd": _netcat,
    "socat": _socat,
    "telnet": _first(Takes("albnSX")),
    "ftp": _first(),
    "lftp": _first(Takes("eupcf")),
    "tftp": _first(Takes("mcR")),
    "ncftpput": _first(Takes("uPp")),
    "smbclient": _first(Takes("UIWcDpsAM")),
    "rsh": _first(Takes("l")),
    "rlogin": _first(Takes("l")),
    "whois": _of_option("h", takes=Takes("hp")),
    "finger": _every(),
    "ping": _first(Takes("cisWwIpQSTtMm")),
    "ping6": _first(Takes("cisWwIpQSTtMm")),
    "traceroute": _first(Takes("fgimNpqstwz")),
    "mtr": _first(Takes("cis")),
    "dig": _at_server,
    "nslookup": _every(),
    "host": _every(Takes("cNRtWmp")),
    "drill": _at_server,
    "nmap": _every(Takes("pioesgTDS", "script top-ports exclude max-rate min-rate")),
    "masscan": _every(Takes("po", "rate ports")),
    "openssl": _openssl,
    "psql": _of_option("h", "host", takes=_SQL, operands=True),
    "pg_dump": _of_option("h", "host", takes=_SQL, operands=True),
    "pg_dumpall": _of_option("h", "host", takes=_SQL, operands=True),
    "mysql": _of_option("h", "host", takes=_SQL),
    "mariadb": _of_option("h", "host", takes=_SQL),
    "mysqldump": _of_option("h", "host", takes=_SQL),
    "mongo": _of_option("host", "h", takes=_SQL, operands=True),
    "mongosh": _of_option("host", "h", takes=_SQL, operands=True),
    "mongodump": _of_option("host", "h", "uri", takes=Takes("hudco", "host uri db out")),
    "redis-cli": _of_option("h", "u", takes=Takes("hpanu")),
    "aws": _aws,
    "gsutil": _stores,
    "gcloud": _stores,
    "az": _az,
    "azcopy": _stores,
    "s3cmd": _stores,
    "s5cmd": _stores,
    "s4cmd": _stores,
    "ossutil": _stores,
    "rclone": _rclone,
    "mc": _minio,
    "mcli": _minio,
    "git": _git,
    "hg": _git,
    "svn": _git,
    "tar": _tar,
    "cpio": _tar,
    "pip": _powershells,
    "pip3": _powershells,
    "npm": _powershells,
    "powershell": _powershells,
    "pwsh": _powershells,
    "chisel": _powershells,
    "helm": _powershells,
    "kubectl": _powershells,
    "docker": _powershells,
}
