"""Declare the detectors of values that a telling name, flag or keyword gives away.

Source  .env, INI, YAML, JSON, TOML, XML, shell, SQL; .netrc, .pgpass, .npmrc, kubeconfig, docker config
"""

from __future__ import annotations

from policies.masking.detector import HEX, Detector, Kind, made
from policies.masking.plausible import is_bare_password, is_given, is_quoted_password, is_random, is_set

# What nothing but a secret is called.
SURE = (
    r"passw(?:or)?d|passphrase|passcode|[_.-]pass|pass[_-]?phrase|[_.-]pwd|\bpwd|client[_-]?secret|secret[_-]?key|api[_-]?secret|"
    r"app[_-]?secret|consumer[_-]?secret|secret[_-]?access[_-]?key|secret|private[_-]?key|requirepass|bindpw|rootpw|"
    r"PGPASS|MYSQL_PWD|REDISCLI_AUTH|[_-]psk|\bpsk"
)
# What may be something else, so that the value must look the part.
MAYBE = (
    r"api[_-]?key|apikey|access[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token|id[_-]?token|session[_-]?token|"
    r"security[_-]?token|[_.-]token|\btoken|bearer|encryption[_-]?key|signing[_-]?key|master[_-]?key|account[_-]?key|shared[_-]?key|"
    r"storage[_-]?key|app[_-]?key|application[_-]?key|auth[_-]?key|service[_-]?key|license[_-]?key|licence[_-]?key|deploy[_-]?key|"
    r"subscription[_-]?key|webhook[_-]?key|hmac[_-]?key|jwt[_-]?key|credentials?|session[_-]?(?:id|key)|sessionid|auth|"
    r"key-data|private[_-]?key[_-]?id|totp[_-]?seed|salt|\bsid|csrf[_-]?token|x-api-key|connection[_-]?string|accesskey|"
    r"secretkey|[_-]apitoken|apitoken|access[_-]?code|pin[_-]?code|otp|webhook[_-]?url|phpsessid|jsessionid|[_-]session"
)
TAIL = r"(?:[_-]?(?:[0-9]{1,3}|prod|production|dev|test|staging|live|old|new|primary|secondary|value|plain|text|b64|base64|hex))?"
OPEN = r"\\{0,3}[\"'`]"
SAFE = r"[^\s\"'`\\]"
SIGN = r"\s{0,8}(?:=>|:=|=|:)\s{0,8}"

_TOKEN = made(32, HEX)


def _named(
    name: str,
    title: str,
    pattern: str,
    check: object,
    *,
    matches: tuple[str, ...],
    misses: tuple[str, ...] = (),
    rank: int = 70,
    source: str = "",
    gate: str = "",
    lead: str = "",
) -> Detector:
    return Detector(
        name=name,
        kind=Kind.SECRET,
        title=title,
        pattern=pattern,
        check=check,  # type: ignore[arg-type]
        matches=matches,
        misses=misses,
        rank=rank,
        source=source,
        gate=gate,
        lead=lead,
    )


# fmt: off
DETECTORS = (
    _named(
        "password-variable",
        "Password or secret in an environment variable",
        r"(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|SECRET|SECRET_KEY|SECRET_ACCESS_KEY|PRIVATE_KEY|API_KEY|APIKEY|ACCESS_KEY|TOKEN|"
        r"_AUTH|ENCRYPTION_KEY|SIGNING_KEY|MASTER_KEY|APP_KEY|AUTH_KEY|ACCOUNT_KEY)(?:_?[0-9]{1,2}|_PROD|_DEV|_TEST|_STAGING)?"
        r"=[\"']?(?P<v>[^\s\"'`;&|<>()]{3,512})",
        is_set,
        matches=(
            "DB_PASSWORD=letmein",
            "export API_KEY='abc123def'",
            "AWS_SECRET_ACCESS_KEY=" + made(40),
            "-e PGPASSWORD=hunter",
        ),
        misses=(
            "PASSWORD=$1",
            "PASSWORD=${DB_PASSWORD}",
            "TOKEN=$(cat /run/token)",
            "SECRET=/run/secrets/db",
            "PASSWORD=",
        ),
        source="environment variables",
    ),
    _named(
        "password-quoted",
        "Password or secret in quotes after its name",
        rf"(?i)(?:{SURE}){TAIL}(?:{OPEN})?\]?{SIGN}(?:u|b|r|f)?{OPEN}(?P<v>[^\"'`\s\\]{{1,256}}(?:[ \\][^\"'`\n\\]{{1,256}})?|[^\"'`\n]{{3,512}}){OPEN}",
        is_quoted_password,
        matches=(
            'password = "hunter2!"',
            '"password": "S3cr3t"',
            "password: 'p4ss word'",
            'config["db_password"] = "tr0ub4dor"',
            '{\\"client_secret\\":\\"' + _TOKEN + '\\"}',
            "'secret' => 'abc-123-xyz'",
            'private_key_secret := "x9!kk"',
        ),
        misses=(
            'password = "${DB_PASSWORD}"',
            '"password": "string"',
            'password="%s"',
            'secret: "Enter the secret"',
            '"password": "<your password>"',
            'password = "password"',
        ),
        source="JSON, YAML, TOML, INI, source code",
    ),
    _named(
        "password-bare",
        "Password or secret without quotes after its name",
        rf"(?i)(?:{SURE}){TAIL}(?:{OPEN})?(?:\s{{0,4}}(?:=|:=)\s{{0,4}}|:\s{{0,8}})(?P<v>[^\s\"'`,;&<>()\[\]{{}}|]{{3,512}})",
        is_bare_password,
        matches=(
            "password=hunter2",
            "password: S3cr3t!",
            "host=db password=tr0ub4dor user=x",
            "?password=a1b2c3&x=1",
            "spring.datasource.password=Pa55w0rd",
            "password: " + made(24),
        ),
        misses=(
            "password=password",
            "password: str",
            "password=self.password",
            "password = get_password()",
            "secret: <none>",
            "password_file=/etc/x1",
            "password: required",
            "passwd: files systemd",
            "PasswordAuthentication no",
        ),
        source="INI, YAML, connection strings, URL queries",
    ),
    _named(
        "token-quoted",
        "Key or token in quotes after its name",
        rf"(?i)(?:{MAYBE}){TAIL}(?:{OPEN})?\]?{SIGN}(?:u|b|r|f)?{OPEN}(?P<v>[^\"'`\s\\]{{8,}}){OPEN}",
        is_random,
        matches=(
            'api_key = "' + _TOKEN + '"',
            '"token": "' + made(40) + '"',
            '"auth": "dXNlcjpwYTU1dzByZA=="',
            '\\"access_token\\":\\"' + made(40) + '\\"',
        ),
        misses=(
            '"token": "access_token"',
            'token = "tokenize.NAME"',
            '"key": "value"',
            'api_key="{{ api_key }}"',
            'token: "string"',
        ),
        source="JSON, YAML, TOML, INI, source code",
    ),
    _named(
        "token-bare",
        "Key or token without quotes after its name",
        rf"(?i)(?:{MAYBE}){TAIL}(?:{OPEN})?(?:\s{{0,4}}(?:=|:=)\s{{0,4}}|:\s{{0,8}})(?P<v>[^\s\"'`,;&<>()\[\]{{}}|]{{8,}})",
        is_random,
        matches=(
            "token=" + _TOKEN,
            "api_key: " + made(32),
            "?access_token=" + made(40) + "&x",
            "  client-key-data: " + made(80) + "==",
            "DD_APP_KEY: " + made(40, HEX),
            "//registry.example.com/:_authToken=" + made(36),
        ),
        misses=(
            "token=token",
            "token: string",
            "key=value",
            "max_tokens=4096",
            "token = tokenize.generate_tokens",
            "auth: enabled",
        ),
        source="INI, YAML, headers, URL queries, .npmrc, kubeconfig",
    ),
    _named(
        "named-pair",
        "Value beside a telling name in a list of names and values",
        rf"(?i)(?:{SURE}|{MAYBE}){TAIL}{OPEN}\s{{0,4}},\s{{0,4}}{OPEN}?value{OPEN}?\s{{0,4}}:\s{{0,4}}{OPEN}(?P<v>[^\"'`\n\\]{{3,512}}){OPEN}",
        is_given,
        matches=('{"name": "DB_PASSWORD", "value": "letmein"}', '{"name":"api_key","value":"abc"}'),
        misses=('{"name": "DB_PASSWORD", "value": "${x}"}',),
        source="Kubernetes and ECS environment lists",
    ),
    _named(
        "password-flag",
        "Password or token on a command line",
        r"(?i)(?:^|\s)--?[a-z0-9-]{0,30}(?:password|passwd|passphrase|pass|secret|token|api-?key|access-key|secret-key)(?:=|\s{1,4})[\"']?(?P<v>[^\s\"'|;&<>()\[\]{}-][^\s\"'|;&<>()\[\]{}]{3,256})",
        is_bare_password,
        matches=("mysql --password hunter2", "tool --api-key=" + _TOKEN, "x --secret-key 'S3cr3tS3cr3t'"),
        misses=("tool --password FILE", "tool --token-file x1y2z3", "use --password <password>"),
        source="command lines",
    ),
    _named(
        "short-password-flag",
        "Password after -p, as mysql and sshpass take it",
        r"(?:\s-p'|\bsshpass\s{1,4}-p\s{0,4}[\"']?)(?P<v>[^\s'\"]{3,256})",
        is_given,
        matches=("mysql -u root -p'hunter2' db", "sshpass -p hunter2 ssh web-1"),
        misses=("sshpass -p $PASS ssh web-1",),
        source="mysql(1), sshpass(1)",
    ),
    _named(
        "user-password-flag",
        "User and password given to curl or wget",
        r"\s(?:-u\s?|--user[ =]|--proxy-user[ =])[\"']?[^\s:\"'@/$]{1,64}:(?P<v>[^\s\"'|;&<>()]{3,256})",
        is_bare_password,
        matches=("curl -s -u admin:hunter2 https://x.example.com", "curl --user 'me:S3cret' x"),
        misses=(
            "curl -u $USER:$PASS https://x.example.com",
            "curl -u user:password x",
            "docker run --user node:node x",
        ),
        source="curl(1)",
    ),
    _named(
        "password-element",
        "Password or token in an XML element",
        r"(?i)<[a-z0-9_.:-]{0,40}(?:password|passwd|passphrase|secret|token|api_?key|private_?key)>\s{0,8}(?P<v>[^<\s]{3,512})\s{0,8}</",
        is_given,
        matches=("<password>hunter2</password>", "<ns:apiKey>" + _TOKEN + "</ns:apiKey>"),
        misses=("<password>${env.PASS}</password>", "<token></token>"),
        source="XML; Maven settings",
    ),
    _named(
        "sql-password",
        "Password in an SQL statement",
        r"(?i)(?:identified\s(?:with\s\w{1,40}\s)?by|\bpassword)\s{1,4}'(?P<v>[^'\n]{3,256})'",
        is_given,
        matches=("CREATE USER a IDENTIFIED BY 'hunter2'", "ALTER ROLE app PASSWORD 'S3cr3t'"),
        misses=("ALTER ROLE app PASSWORD '%s'", "IDENTIFIED BY '<password>'"),
        source="SQL",
    ),
    _named(
        "password-directive",
        "Password in a configuration file of words",
        r"(?i)^\s{0,8}(?:requirepass|masterauth|bindpw|rootpw|bind_password|smtp_password|neighbor\s[^\s]{1,64}\spassword)\s{1,8}"
        r"[\"']?(?P<v>[^\s\"'#]{3,256})",
        is_given,
        matches=("requirepass hunter2", "  bindpw S3cr3t", "neighbor 192.0.2.1 password hunter2"),
        misses=("requirepass <password>",),
        source="redis.conf, ldap.conf, kickstart, FRR",
    ),
    _named(
        "password-line",
        "Password on a line of its own, after that word",
        r"(?i)^\s{0,16}(?:password|passwd|passphrase)\s{1,8}(?P<v>[^\s\"'#=:]{4,256})\s{0,4}$",
        is_bare_password,
        matches=("  password hunter2", "password S3cr3t!"),
        misses=("password authentication", "  password required", "password = x9y8z7 # no"),
        source="netrc(5), configuration files of words",
    ),
    _named(
        "netrc-password",
        "Password in .netrc",
        r"\b(?:login|account)\s{1,8}[^\s]{1,128}\s{1,8}password\s{1,8}(?P<v>[^\s]{3,256})",
        is_given,
        matches=("machine x.example.com login me password hunter2", "account  app\tpassword  hunter2"),
        misses=("last login failed: no password given",),
        source="netrc(5)",
        gate=r"\spassword\s",  # `login` alone is in every other line of a web server's log
        lead=r"\S \t\r\f\v",
    ),
    _named(
        "pgpass",
        "Password in .pgpass",
        r"^[A-Za-z0-9.*/-]{1,253}:(?:\*|5[0-9]{3}|6[0-9]{3}):[A-Za-z0-9_.*-]{1,63}:[A-Za-z0-9_.*-]{1,63}:(?P<v>[^\s:]{3,256})$",
        is_given,
        matches=("db.example.com:5432:orders:app:hunter2", "*:*:*:postgres:S3cr3t"),
        misses=("a.c:5432:17: error: x", "::1:5432:x:y:z"),
        source="PostgreSQL: the password file",
        gate=r":(?:\*|5[0-9]{3}|6[0-9]{3}):[A-Za-z0-9_.*-]",
        lead="A-Za-z0-9.*/-",
    ),
)
# fmt: on
