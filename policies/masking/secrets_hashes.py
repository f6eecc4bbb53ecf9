"""Declare the detectors of password hashes and verifiers: what is left of a password can be guessed from.

Source  crypt(5); RFC 5803; passlib's modular crypt formats; pwdump; PostgreSQL pg_authid
"""

from __future__ import annotations

from policies.masking.detector import HEX, Detector, Kind, made

B64 = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _hash(
    name: str,
    title: str,
    pattern: str,
    *matches: str,
    misses: tuple[str, ...] = (),
    source: str = "crypt(5)",
    wraps: bool = False,
    gate: str = "",
    lead: str = "",
) -> Detector:
    return Detector(
        name=name,
        kind=Kind.SECRET,
        title=title,
        pattern=pattern,
        matches=matches,
        misses=misses,
        source=source,
        wraps=wraps,
        rank=9,
        gate=gate,
        lead=lead,
    )


# fmt: off
DETECTORS = (
    _hash(
        "bcrypt-hash",
        "bcrypt hash",
        r"(?P<v>\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53})",
        "$2b$12$" + made(53, B64),
        "alice:$2y$10$" + made(53, B64),
        misses=("$2b$12$short",),
        wraps=True,
    ),
    _hash(
        "crypt-hash",
        "crypt hash (md5, sha256, sha512, yescrypt, scrypt, gost)",
        r"(?P<v>\$(?:1|5|6|md5|apr1|sha1|y|gy|7|3|8|9)\$(?:rounds=[0-9]{1,9}\$)?[./A-Za-z0-9=,+-]{0,64}\$(?:[./A-Za-z0-9+]{1,86}\$)?[./A-Za-z0-9]{20,128})",
        "root:$6$" + made(16, B64) + "$" + made(86, B64) + ":19000:0:99999:7:::",
        "$y$j9T$" + made(22, B64) + "$" + made(43, B64),
        "$1$abcdefgh$" + made(22, B64),
        "$apr1$abcdefgh$" + made(22, B64),
        misses=("echo $1$2", "$6$", "cp $1 $5"),
        wraps=True,
    ),
    _hash(
        "argon2-hash",
        "argon2 hash",
        r"(?P<v>\$argon2(?:id|i|d)\$(?:v=[0-9]{1,3}\$)?m=[0-9]{1,9},t=[0-9]{1,6},p=[0-9]{1,4}(?:,[a-z]+=[A-Za-z0-9+/=]{1,64})?\$[A-Za-z0-9+/=]{8,128}\$[A-Za-z0-9+/=]{16,256})",
        "$argon2id$v=19$m=65536,t=3,p=4$" + made(22) + "$" + made(43),
        wraps=True,
        source="RFC 9106; PHC string format",
    ),
    _hash(
        "pbkdf2-hash",
        "pbkdf2 or scrypt hash in modular form",
        r"(?P<v>(?:\$(?:pbkdf2(?:-sha(?:1|256|512))?|scrypt|p5k2|bcrypt-sha256|scram|krb5(?:tgs|asrep|pa)|DCC2|ml|5\$rounds)\$[A-Za-z0-9./+=,$:*@_-]{20,}|"
        r"(?:pbkdf2_sha(?:1|256|512)|bcrypt_sha256|argon2|scrypt)\$[A-Za-z0-9+/=.,$-]{20,512}|"
        r"(?:pbkdf2:sha(?:1|256|512)(?::[0-9]+)?|scrypt:[0-9]+:[0-9]+:[0-9]+)\$[A-Za-z0-9]{4,64}\$[0-9a-f]{32,256}))",
        "$pbkdf2-sha256$29000$" + made(22) + "$" + made(43),
        "pbkdf2_sha256$600000$" + made(22) + "$" + made(43) + "=",
        "scrypt:32768:8:1$" + made(16) + "$" + made(128, HEX),
        "$scrypt$ln=16,r=8,p=1$" + made(22) + "$" + made(43),
        source="passlib; Django; Werkzeug",
    ),
    _hash(
        "scram-verifier",
        "SCRAM verifier",
        r"(?P<v>SCRAM-SHA-(?:1|256|512)\$[0-9]{1,9}:[A-Za-z0-9+/=]{8,128}\$[A-Za-z0-9+/=]{20,128}:[A-Za-z0-9+/=]{20,128})",
        "SCRAM-SHA-256$4096:" + made(22) + "==$" + made(43) + "=:" + made(43) + "=",
        source="RFC 5803; PostgreSQL",
    ),
    _hash(
        "ldap-hash",
        "LDAP password hash",
        r"(?P<v>\{(?:S?SHA|SSHA(?:256|384|512)|SHA(?:256|384|512)|S?MD5|CRYPT|PBKDF2(?:-SHA(?:1|256|512))?|ARGON2)\}[A-Za-z0-9+/=.$,-]{16,256})",
        "{SSHA}" + made(38) + "==",
        "userPassword: {SSHA512}" + made(100),
        source="RFC 2307",
    ),
    _hash(
        "ntlm-hash",
        "Windows LM and NT hash",
        r"(?P<v>\b(?:[0-9]{3,5}:)?(?i:[0-9a-f]{32}):(?i:[0-9a-f]{32}):::)",
        "Administrator:500:" + made(32, HEX) + ":" + made(32, HEX) + ":::",
        source="pwdump",
        gate="(?i)[0-9a-f]:[0-9a-f]{32}:::",
        lead="0-9A-Fa-f:",
    ),
    _hash(
        "netntlm-hash",
        "NetNTLM response",
        r"(?P<v>[^\s:]{1,64}::[^\s:]{0,64}:[0-9a-fA-F]{16}:[0-9a-fA-F]{32}:[0-9a-fA-F]{20,512})",
        "admin::CORP:" + made(16, HEX) + ":" + made(32, HEX) + ":" + made(64, HEX),
        source="MS-NLMP",
        gate="::[^\\s:]{0,64}:[0-9a-fA-F]{16}:[0-9a-fA-F]{32}:",
        lead="A-Za-z0-9_.@$-",
    ),
    _hash(
        "postgres-md5",
        "PostgreSQL md5 verifier",
        r"(?:^|[\s\"'|,(:=>\[])(?P<v>md5[0-9a-f]{32})(?:$|[\s\"'|,):;.&<\]])",
        "md5" + made(32, HEX),
        " app | md5" + made(32, HEX) + " | t",
        misses=("md5sum", "md5:" + made(32, HEX)),
        source="PostgreSQL pg_authid",
    ),
    _hash(
        "mysql-hash",
        "MySQL password hash",
        r"(?:^|[\s\"'|,(:=])(?P<v>(?:\*[0-9A-F]{40}|\$A\$[0-9]{3}\$[^\s]{20,64}))(?:$|[\s\"'|,):;&])",
        "*" + made(40, "0123456789ABCDEF"),
        source="MySQL authentication",
    ),
    _hash(
        "mssql-hash",
        "SQL Server password hash",
        r"\b(?P<v>0x0[12]00[0-9A-Fa-f]{8}(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{80}|[0-9A-Fa-f]{128}))\b",
        "0x0200" + made(8, "0123456789ABCDEF") + made(128, "0123456789ABCDEF"),
        source="SQL Server",
    ),
    _hash(
        "cisco-hash",
        "Cisco secret",
        r"\b(?:password|secret)\s(?P<v>(?:5\s\$1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}|7\s[0-9A-F]{6,128}|[489]\s[$./A-Za-z0-9]{43,80}))",
        "enable secret 9 $9$" + made(14, B64) + "$" + made(43, B64),
        "username x password 7 " + made(18, "0123456789ABCDEF"),
        source="Cisco IOS",
    ),
    _hash(
        "shadow-des",
        "DES crypt hash in a password file",
        r"^[a-z_][a-z0-9_-]{0,31}:(?P<v>[./A-Za-z0-9]{13}):[0-9]{0,6}:[0-9]{0,6}:",
        "root:" + made(13, B64) + ":19000:0:99999:7:::",
        misses=("root:x:0:0:root:/root:/bin/bash",),
        source="shadow(5)",
    ),
    _hash(
        "htdigest",
        "HTTP digest verifier",
        r"^[^\s:]{1,64}:[^:\n]{1,64}:(?P<v>[0-9a-f]{32})$",
        "alice:Private area:" + made(32, HEX),
        source="htdigest(1)",
        gate=":[0-9a-f]{32}$",
        lead=" -~",
    ),
    _hash(
        "wpa-psk",
        "Key of a wireless network",
        r"\bpsk=(?P<v>[0-9a-f]{64})\b",
        "psk=" + made(64, HEX),
        source="wpa_supplicant",
    ),
)
# fmt: on
