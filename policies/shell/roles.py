"""Know, program by program, which operands and options are files.

Source  the manuals of the programs that are named: coreutils, util-linux, tar(1), gzip(1), grep(1), vi(1), psql(1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.shell.options import NONE, Takes


@dataclass(frozen=True, slots=True)
class Roles:
    """What operands are: `rest`, and `last` for the last of several; the first `skip` of them are no files."""

    rest: str = ""
    last: str = ""
    skip: int = 0
    takes: Takes = NONE
    files: Mapping[str, str] = field(default_factory=dict)  # option: mode of its value
    unskip: tuple[str, ...] = ()  # with one of these options no operand is skipped


_R, _W, _RW = Roles("r"), Roles("w"), Roles("rw")
_GREP = Roles(
    "r",
    skip=1,
    takes=Takes(
        "efmABCdD",
        "regexp file max-count after-context before-context context include exclude "
        "exclude-from exclude-dir label binary-files",
    ),
    files={"f": "r", "file": "r", "exclude-from": "r"},
    unskip=("e", "f", "regexp", "file"),
)
_SUM = Roles("r", takes=Takes("l", "length"))
_OWN = Roles("w", skip=1, takes=Takes("", "reference from"), unskip=("reference",))
_COMPRESS = Roles("rw", takes=Takes("SbTp", "suffix threads"), files={"files": "r", "files0": "r"})
_VI = Roles(
    "rw",
    takes=Takes("cSstTuUiwW", "cmd startuptime log"),
    files={"S": "r", "s": "r", "w": "w", "W": "w", "log": "w"},
)

_AWK = Roles(
    "r",
    skip=1,
    takes=Takes("fFvieEl", "file field-separator assign include exec source"),
    unskip=("f", "file", "E", "exec", "e", "source"),
)
_SED = Roles(
    "r",
    skip=1,
    takes=Takes("efl", "expression file line-length"),
    unskip=("e", "f", "expression", "file"),
)

ROLES: Mapping[str, Roles] = {
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk"], _AWK),
    **dict.fromkeys(["sed", "gsed"], _SED),
    **dict.fromkeys(
        [
            "cat",
            "tac",
            "nl",
            "rev",
            "less",
            "more",
            "most",
            "zless",
            "zmore",
            "zcat",
            "bzcat",
            "xzcat",
            "lz4cat",
            "gzcat",
            "bat",
            "batcat",
            "paste",
            "join",
            "comm",
            "cmp",
            "sdiff",
            "diff3",
            "md5sum",
            "sum",
            "cksum",
            "hd",
            "strings",
            "expand",
            "unexpand",
            "tsort",
            "look",
            "nm",
            "ldd",
            "objdump",
            "readelf",
            "size",
            "pr",
            "fmt",
            "ul",
            "source",
            ".",
            "xmllint",
            "html2text",
            "pandoc",
            "antiword",
            "catdoc",
            "view",
            "rview",
            "tailf",
            "ccat",
            "last",
            "lastb",
            "lastlog",
            "who",
            "vimdiff",
            "mdcat",
            "highlight",
            "bc",
            "soelim",
            "zsoelim",
            "tbl",
            "eqn",
            "pdftotext",
            "base58",
        ],
        _R,
    ),
    **dict.fromkeys(["sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum", "shasum"], _SUM),
    **dict.fromkeys(
        [
            "grep",
            "egrep",
            "fgrep",
            "zgrep",
            "bzgrep",
            "xzgrep",
            "rg",
            "ag",
            "ack",
            "ugrep",
            "pcregrep",
            "rgrep",
        ],
        _GREP,
    ),
    **dict.fromkeys(
        [
            "gzip",
            "gunzip",
            "bzip2",
            "bunzip2",
            "xz",
            "unxz",
            "lzma",
            "compress",
            "uncompress",
            "pigz",
            "lzop",
        ],
        _COMPRESS,
    ),
    **dict.fromkeys(
        [
            "vi",
            "vim",
            "nvim",
            "gvim",
            "rvim",
            "ex",
            "vimx",
            "nano",
            "pico",
            "emacs",
            "joe",
            "mcedit",
            "micro",
            "ne",
            "jed",
            "kak",
            "hx",
        ],
        _VI,
    ),
    **dict.fromkeys(
        ["zstd", "unzstd", "zstdcat"],
        Roles(
            "rw",
            takes=Takes("DoM", "filelist patch-from output-dir-flat output-dir-mirror"),
            files={"o": "w", "D": "r", "filelist": "r", "patch-from": "r"},
        ),
    ),
    "lz4": Roles("rw", takes=Takes("D"), files={"D": "r"}),
    **dict.fromkeys(["rmdir", "unlink", "mkfifo"], _W),
    "rm": _W,
    **dict.fromkeys(["ed", "red"], Roles("rw", takes=Takes("p", "prompt"))),
    "head": Roles("r", takes=Takes("nc", "lines bytes")),
    "tail": Roles("r", takes=Takes("ncs", "lines bytes sleep-interval pid max-unchanged-stats")),
    "od": Roles("r", takes=Takes("AjNtS", "address-radix skip-bytes read-bytes format")),
    "xxd": Roles("r", last="w", takes=Takes("cglosnR")),
    "hexdump": Roles("r", takes=Takes("efns"), files={"f": "r"}),
    "base64": Roles("r", takes=Takes("w", "wrap")),
    "base32": Roles("r", takes=Takes("w", "wrap")),
    "basenc": Roles("r", takes=Takes("w", "wrap")),
    "uuencode": Roles("r"),
    "cut": Roles("r", takes=Takes("bcdf", "bytes characters delimiter fields output-delimiter")),
    "sort": Roles(
        "r",
        takes=Takes(
            "kStTo",
            "key buffer-size field-separator temporary-directory output parallel compress-program files0-from",
        ),
        files={"o": "w", "output": "w", "files0-from": "r"},
    ),
    "uniq": Roles("r", last="w", takes=Takes("fsw", "skip-fields skip-chars check-chars")),
    "fold": Roles("r", takes=Takes("w", "width")),
    "column": Roles("r", takes=Takes("csolNHRWEOTipr")),
    "shuf": Roles("r", takes=Takes("ino", "output head-count input-range"), files={"o": "w", "output": "w"}),
    "split": Roles("r", takes=Takes("abClnt", "bytes lines number suffix-length filter")),
    "csplit": Roles("r", takes=Takes("bfn")),
    "iconv": Roles("r", takes=Takes("fto", "from-code to-code output"), files={"o": "w", "output": "w"}),
    "file": Roles(
        "r",
        takes=Takes("mefFP", "magic-file exclude files-from separator parameter"),
        files={"m": "r", "magic-file": "r", "f": "r", "files-from": "r"},
    ),
    "wc": Roles("r", takes=Takes("", "files0-from"), files={"files0-from": "r"}),
    "du": Roles(
        "",
        takes=Takes("BdtX", "block-size max-depth threshold exclude exclude-from files0-from"),
        files={"X": "r", "exclude-from": "r", "files0-from": "r"},
    ),
    **dict.fromkeys(
        ["diff", "colordiff"],
        Roles(
            "r",
            takes=Takes("CUIxXSWF", "from-file to-file exclude exclude-from starting-file label ifdef width"),
            files={"from-file": "r", "to-file": "r", "X": "r", "exclude-from": "r"},
        ),
    ),
    "pv": Roles(
        "r", takes=Takes("DFHiLNPRsSw", "rate-limit size name interval width buffer-size format pidfile")
    ),
    "lp": Roles("r", takes=Takes("dHhinoPqtU")),
    "lpr": Roles("r", takes=Takes("CHJPToU#")),
    **dict.fromkeys(["troff", "groff", "nroff"], Roles("r", takes=Takes("dfFIKLmMnoPrTwW"))),
    "dig": Roles("", takes=Takes("bcfkpqtxy"), files={"f": "r", "k": "r"}),
    "dc": Roles("r", takes=Takes("ef", "expression file"), files={"f": "r", "file": "r"}),
    "logger": Roles(
        "",
        takes=Takes("fptnPSu", "file priority tag server port socket size msgid sd-id sd-param"),
        files={"f": "r", "file": "r"},
    ),
    **dict.fromkeys(["at", "batch"], Roles("", takes=Takes("fqt"), files={"f": "r"})),
    "ss": Roles("", takes=Takes("AfFD"), files={"F": "r", "D": "w"}),
    "arp": Roles("", takes=Takes("Htif"), files={"f": "r"}),
    "ssh-keyscan": Roles("", takes=Takes("fOpTt"), files={"f": "r"}),
    "nginx": Roles("", takes=Takes("cgpse"), files={"c": "r", "e": "w"}),
    **dict.fromkeys(
        ["mosquitto_pub", "mutt"], Roles("", takes=Takes("fahpitmFs"), files={"f": "r", "a": "r", "F": "r"})
    ),
    "jq": Roles(
        "r",
        skip=1,
        takes=Takes("fL", "from-file arg argjson slurpfile rawfile indent"),
        unskip=("f", "from-file"),
        files={"f": "r", "from-file": "r"},
    ),
    "yq": Roles("r", skip=1),
    "xmlstarlet": Roles("r", skip=1),
    "sqlite3": Roles("rw", takes=Takes("", "cmd init separator"), files={"init": "r"}),
    "cp": Roles(
        "r", last="w", takes=Takes("tS", "target-directory suffix"), files={"t": "w", "target-directory": "w"}
    ),
    "mv": Roles(
        "rw",
        last="w",
        takes=Takes("tS", "target-directory suffix"),
        files={"t": "w", "target-directory": "w"},
    ),
    "ln": Roles(
        "r", last="w", takes=Takes("tS", "target-directory suffix"), files={"t": "w", "target-directory": "w"}
    ),
    "link": Roles("r", last="w"),
    "install": Roles(
        "r",
        last="w",
        takes=Takes("gmotS", "group mode owner target-directory suffix"),
        files={"t": "w", "target-directory": "w"},
    ),
    "mkdir": Roles("w", takes=Takes("m", "mode")),
    "mknod": Roles("w", takes=Takes("m", "mode")),
    "touch": Roles("w", takes=Takes("drt", "date reference time"), files={"r": "r", "reference": "r"}),
    "truncate": Roles("w", takes=Takes("sr", "size reference")),
    "fallocate": Roles("w", takes=Takes("lo", "length offset")),
    "shred": Roles("w", takes=Takes("ns", "iterations size random-source")),
    "srm": _W,
    "wipe": _W,
    "wipefs": Roles("w", takes=Takes("ot", "offset types")),
    "blkdiscard": Roles("w", takes=Takes("olp")),
    "chmod": _OWN,
    "chown": _OWN,
    "chgrp": _OWN,
    "chattr": Roles("w"),
    "setfacl": Roles("w", takes=Takes("mMxX", "modify remove"), files={"M": "r", "X": "r"}),
    "setcap": Roles("w", skip=1),
    "tee": _W,
    "sponge": _W,
    "patch": Roles(
        "w",
        takes=Takes("pidDFBzoYrV", "input strip directory output"),
        files={"i": "r", "input": "r", "o": "w"},
    ),
    "zip": Roles("r", takes=Takes("bntPsOTTix")),
    "unzip": Roles("r", takes=Takes("dPxO"), files={"d": "w"}),
    "ar": Roles("r", skip=1),
    "cpio": Roles(
        "", takes=Takes("FIOEDCHMR", "file directory"), files={"F": "rw", "I": "r", "O": "w", "E": "r"}
    ),
    "crontab": Roles("r", takes=Takes("u")),
    "insmod": Roles("r"),
    "dpkg": Roles("r"),
    "mount": Roles("rw", takes=Takes("otLUO", "options types")),
    "umount": Roles(""),
    "mkfs": Roles("w", takes=Takes("t")),
    "mkswap": Roles("w", takes=Takes("LUp")),
    "swapon": Roles("r"),
    "losetup": Roles("rw"),
    "fdisk": Roles("w", takes=Takes("bcCHSu")),
    "parted": Roles("w"),
    "sgdisk": Roles("w", takes=Takes("ntcduaA")),
    "sfdisk": Roles("w"),
    "cryptsetup": Roles("rw", skip=1),
    "debugfs": Roles("rw", takes=Takes("bfsRc")),
    "gpg": Roles(
        "r",
        takes=Takes("oru", "output recipient local-user passphrase passphrase-file homedir default-key"),
        files={"o": "w", "output": "w", "passphrase-file": "r"},
    ),
    "visudo": Roles("", takes=Takes("f"), files={"f": "rw"}),
    "mysqldump": Roles(
        "",
        takes=Takes("hPuSr", "host user port result-file defaults-file"),
        files={"r": "w", "result-file": "w"},
    ),
    "pg_dump": Roles(
        "", takes=Takes("hpUfdntTFjZ", "host port username file dbname"), files={"f": "w", "file": "w"}
    ),
    "pg_dumpall": Roles("", takes=Takes("hpUfl", "host port username file"), files={"f": "w", "file": "w"}),
    "pg_restore": Roles("r", takes=Takes("hpUfdntTFj", "host port username file dbname")),
    "psql": Roles(
        "",
        takes=Takes("cdfhLopRTUvF", "command dbname file host log-file output port username"),
        files={"f": "r", "file": "r", "o": "w", "output": "w", "L": "w", "log-file": "w"},
    ),
    "mysql": Roles("", takes=Takes("hPuSDe", "host user port database execute")),
    "kubectl": Roles(
        "",
        takes=Takes("fnclk", "filename kubeconfig"),
        files={"f": "r", "filename": "r", "k": "r", "kubeconfig": "r"},
    ),
    "ssh": Roles("", takes=Takes("BbcDEeFIiJLlmOopQRSWwP"), files={"i": "r", "F": "r", "E": "w"}),
    "ssh-copy-id": Roles("", takes=Takes("ipo"), files={"i": "r"}),
    "ssh-add": Roles("r", takes=Takes("tES")),
    "nmap": Roles("", takes=Takes("piS", "script"), files={}),
    "tcpdump": Roles("", takes=Takes("BcCEFGijmMQrsTVwWyzZ"), files={"r": "r", "w": "w", "F": "r"}),
    "tshark": Roles("", takes=Takes("rwifYc"), files={"r": "r", "w": "w"}),
    "date": Roles(
        "", takes=Takes("dfrs", "date file reference set"), files={"f": "r", "file": "r", "r": "r"}
    ),
    "wall": _R,
    "dmesg": Roles("", takes=Takes("Ffln", "file"), files={"F": "r"}),
    "stat": Roles(""),
    "restic": Roles(""),
    "xargs": Roles("", takes=Takes("aEdILnPs", "arg-file"), files={"a": "r", "arg-file": "r"}),
    "envsubst": Roles(""),
    "openssl": Roles(""),
    "gcore": Roles(""),
    "strace": Roles("", takes=Takes("abeEIoOpPsSuUX", "output"), files={"o": "w", "output": "w"}),
    "gcc": Roles("r", takes=Takes("oxILlDf"), files={"o": "w"}),
    "ld": Roles("r", takes=Takes("oLl"), files={"o": "w"}),
    "make": Roles(
        "",
        takes=Takes("CfIoW", "file makefile directory include-dir old-file what-if"),
        files={"f": "r", "file": "r"},
    ),
    "git": Roles(""),
}
