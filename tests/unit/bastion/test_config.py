"""The configuration file: what it becomes, and what is said of each mistake in it."""

from pathlib import Path

import pytest

from bastion.addresses import Address
from bastion.config import load
from bastion.config_errors import ConfigError
from bastion.config_tables import json_schema
from bastion.errors import OperatorError
from bastion.identity import Identity, Person
from bastion.settings import IssuerSettings, Target, TargetAuth
from tests.unit.bastion.config_fixture import HOST_KEY, LEAST, WHOLE, spoiled, write_config


def problems(folder: Path, config: str, policy: str = "") -> list[str]:
    path = write_config(folder, config, policy)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert isinstance(caught.value, OperatorError)
    lines = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "\n".join(lines)
    return [line.removeprefix(f"{folder}/") for line in lines]


def test_whole_configuration_is_read_and_converted(tmp_path: Path) -> None:
    config = load(write_config(tmp_path))
    assert config.source == tmp_path / "bastion.toml"
    assert config.bastion.listen == (Address(host="127.0.0.1", port=2222), Address(host="::1", port=0))
    assert (config.bastion.data, config.bastion.keys) == (tmp_path / "var", tmp_path / "keys")
    assert config.bastion.names == ("bastion.acme.example", "127.0.0.1")
    assert config.bastion.responders == frozenset({"responders", "github/dba"})
    assert config.bastion.lockers == config.bastion.responders, "unless the file says who else"
    assert (config.recorder.durability, config.recorder.quota_bytes) == ("process", 512 << 20)
    assert config.issuers[1] == IssuerSettings(
        name="cluster",
        url="https://kubernetes.default.svc.cluster.local",
        jwks_file=tmp_path / "cluster.json",
        audience="ssh://bastion.acme.example",
        one_key_per_token=False,
        groups_claim=None,
    )
    assert config.persons[0] == Person(name="dana@acme.example", aliases={"github": "dana"})
    assert config.identities[0] == Identity(
        name="orders-deployer",
        owner="dana@acme.example",
        issuer="github",
        match={"repository_id": "1296269", "ref": "glob:refs/heads/release/*"},
        groups=("ci", "deployers"),
        lifetime_s=600,
        session_s=9000,
    )
    assert config.targets[0] == Target(
        name="web-1",
        kind="ssh",
        address=Address(host="10.0.0.5", port=22),
        host_key=HOST_KEY,
        host_ca=None,
        logins=("deploy", "app"),
        shell="sh",
        labels={"env": "prod"},
        auth=TargetAuth(kind="key", file=tmp_path / "web-1.key"),
    )
    assert [rule.id for rule in config.policy.rules] == ["ci", "no-raw.no-raw-terminals"]
    assert config.policy_files == ("policy.toml", "library:no-raw")
    assert config.warnings == ()


def test_defaults_are_those_that_the_contract_shows(tmp_path: Path) -> None:
    text = WHOLE.split("[recorder]")[0].split("[bastion]")[0] + "[[issuer]]" + WHOLE.split("[[issuer]]", 1)[1]
    text = text.replace('groups_claim = "groups"\n', "")
    config = load(write_config(tmp_path, text))
    assert config.bastion.listen == (Address(host="127.0.0.1", port=2222),)
    assert (config.bastion.data, config.bastion.keys) == (tmp_path / "var", tmp_path / "keys")
    assert config.bastion.names == ("bastion.example.com",)
    assert config.bastion.responders == frozenset({"responders"})
    assert (config.recorder.durability, config.recorder.quota_bytes) == ("power", 1 << 30)
    assert config.issuers[0].one_key_per_token is True
    assert (config.issuers[0].jwks_file, config.issuers[0].groups_claim) == (None, None)
    assert config.persons[1].aliases == {}
    assert (config.identities[1].lifetime_s, config.identities[1].session_s) == (900, 3600)
    target = config.targets[1]
    assert (target.kind, target.shell, target.labels) == ("ssh", "bash", {})
    assert target.auth == TargetAuth(kind="certificate")


def test_listen_may_be_one_string(tmp_path: Path) -> None:
    config = load(write_config(tmp_path, LEAST.replace("[bastion]", '[bastion]\nlisten = "[::]:22"')))
    assert [str(address) for address in config.bastion.listen] == ["[::]:22"]


def test_paths_are_relative_to_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    write_config(tmp_path / "etc", spoiled('data = "./var"', 'data = "/srv/evidence"'))
    monkeypatch.chdir(tmp_path)
    config = load(Path("etc/bastion.toml"))
    assert config.source == tmp_path / "etc" / "bastion.toml"
    assert config.bastion.data == Path("/srv/evidence")
    assert config.bastion.keys == tmp_path / "etc" / "keys"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'listen = ["127.0.0.1:2222", "[::1]:0"]',
            "listen = 22",
            "bastion.listen: got 22, expected a string or a list",
        ),
        ('"[::1]:0"', '"::1"', 'bastion.listen[1]: got "::1", expected "HOST:PORT"'),
        (
            'listen = ["127.0.0.1:2222", "[::1]:0"]',
            "listen = []",
            "bastion.listen: got an empty list, expected a string",
        ),
        ('data = "./var"', "data = 5", "bastion.data: got 5, expected a string"),
        ('data = "./var"', 'data = ""', 'bastion.data: got "", expected one line'),
        (
            'data = "./var"',
            'date = "./var"',
            'bastion.date: unknown key (did you mean "data"?), expected data, keys,',
        ),
        ('"127.0.0.1"]', '"*.acme.example"]', 'bastion.names[1]: got "*.acme.example", expected a host name'),
        (
            'durability = "process"',
            'durability = "none"',
            'recorder.durability: got "none", expected "power" or "proc',
        ),
        (
            'quota = "512MiB"',
            'quota = "512MB"',
            'recorder.quota: got "512MB", expected a size such as "1GiB"',
        ),
        ('name = "github"', 'name = "Git/Hub"', 'issuer[0].name: got "Git/Hub", expected lower-case letters'),
        ('name = "github"\n', "", "issuer[0].name: is missing, expected a string such as"),
        (
            'groups_claim = "groups"',
            "groups_claim = 1",
            "issuer[0].groups_claim: got 1, expected a string such as",
        ),
        (
            "one_key_per_token = false",
            'one_key_per_token = "no"',
            'issuer[1].one_key_per_token: got "no", expected true',
        ),
        (
            "one_key_per_token = false",
            "one_key_per_token = 0",
            "issuer[1].one_key_per_token: got 0, expected true or f",
        ),
        ('{ github = "dana" }', "{ github = 1 }", "person[0].aliases.github: got 1, expected a string"),
        ('{ github = "dana" }', '["dana"]', "person[0].aliases: got a list, expected a table such as"),
        (
            'name = "orders-deployer"',
            'name = "orders/deployer"',
            'identity[0].name: got "orders/deployer", expected at',
        ),
        ('owner = "dana@acme.example"\n', "", "identity[0].owner: is missing, expected a string such as"),
        ('owner = "dana@acme.example"', 'owner = ""', 'identity[0].owner: got "", expected one line'),
        (
            'lifetime = "10m"',
            'lifetime = "25h"',
            'identity[0].lifetime: got "25h", expected a duration from 1m to 1d',
        ),
        ('lifetime = "10m"', "lifetime = 600", "identity[0].lifetime: got 600, expected a duration"),
        (
            'session = "2h30m"',
            'session = "8d"',
            'identity[0].session: got "8d", expected a duration from 1m to 7d',
        ),
        ('"ci", "deployers"', '"ci", "a/b"', 'identity[0].groups[1]: got "a/b", expected a group'),
        (
            'repository_id = "1296269"',
            "repository_id = 1.5",
            "identity[0].match: repository_id: got 1.5, expected a",
        ),
        (
            'match = { repository_id = "1296269", ref = "glob:refs/heads/release/*" }',
            "match = {}",
            "identity[0].match: ",
        ),
        (
            'match = { repository_id = "1296269", ref = "glob:refs/heads/release/*" }\n',
            "",
            "identity[0].match: is miss",
        ),
        ('name = "web-1"', 'name = "web 1"', 'target[0].name: got "web 1", expected a name of letters'),
        ('name = "web-1"', 'name = "login"', 'target[0].name: got "login", which is where certificates are'),
        ('kind = "ssh"', 'kind = "telnet"', 'target[0].kind: got "telnet", expected "ssh"'),
        (
            'address = "10.0.0.5"',
            'address = "10.0.0.5:0"',
            'target[0].address: got "10.0.0.5:0", expected "HOST:PORT"',
        ),
        (
            'address = "10.0.0.5"\n',
            "",
            'target[0].address: is missing, expected a string such as "10.0.0.5:22"',
        ),
        ("root@web-1", "\\nx", "target[0].host_key: got more than one line, expected one line"),
        (
            'logins = ["deploy", "app"]',
            "logins = []",
            "target[0].logins: got an empty list, expected a list of at least",
        ),
        ('"deploy", "app"', '"deploy", "-x"', 'target[0].logins[1]: got "-x", expected a user name'),
        (
            'logins = ["deploy", "app"]',
            'logins = "deploy"',
            'target[0].logins: got "deploy", expected a list',
        ),
        (
            'labels = { env = "prod" }',
            "labels = { env = true }",
            "target[0].labels.env: got true, expected a string",
        ),
        (
            'kind = "key"',
            'kind = "password"',
            'target[0].auth.kind: got "password", expected "certificate" or "key"',
        ),
        (
            'auth = { kind = "key", file = "web-1.key" }',
            "auth = {}",
            "target[0].auth.kind: is missing, expected",
        ),
        (
            'files = ["policy.toml", "library:no-raw"]',
            "files = []",
            "policy.files: got an empty list, expected a list of",
        ),
        (
            '"library:no-raw"',
            '"library:nosuch"',
            'policy.files[1]: no shipped policy is called "library:nosuch", exp',
        ),
        ('"policy.toml", ', '"policies.toml", ', "policy.files[0]: "),
        (
            '"library:no-raw"',
            '"policy.toml"',
            'policy.files[1]: "policy.toml" is there twice, expected each file once',
        ),
        (
            "[recorder]",
            "[recoder]",
            'recoder: unknown key (did you mean "recorder"?), expected answers, bastion,',
        ),
        (
            "[policy]\n",
            "[polices]\n",
            'policy: is missing, expected a table such as { files = ["policy.toml"] }',
        ),
    ],
)
def test_mistake_names_file_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    first = problems(tmp_path, spoiled(old, new))[0]
    assert first.startswith(f"bastion.toml: {expected}")
    assert ", expected " in first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[bastion\n", "bastion.toml: line 1, column 9: is not TOML: "),
        ("a = [1,\n\n  2", "bastion.toml: line 3, column 4: is not TOML: "),
        ("[a]\n[a]\n", "bastion.toml: line 2, column 3: is not TOML: "),
        ("bastion = 3\npolicy = []", "bastion.toml: bastion: got 3, expected a table"),
        ("issuer = 3\npolicy = {}", "bastion.toml: issuer: got 3, expected a list of tables"),
        ("", 'bastion.toml: policy: is missing, expected a table such as { files = ["policy.toml"] }'),
    ],
)
def test_file_that_is_no_configuration_says_where(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text)[0].startswith(expected)


def test_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"none\.toml: cannot be read \(No such file or directory\), expected"
    ):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\), expected"):
        load(tmp_path)
    (tmp_path / "latin1.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(ConfigError, match=r"latin1\.toml: byte 5: is not UTF-8, expected TOML"):
        load(tmp_path / "latin1.toml")


def test_every_mistake_is_listed_at_once_in_both_kinds_of_file(tmp_path: Path) -> None:
    text = spoiled('lifetime = "10m"', 'lifetime = "10"').replace('issuer = "cluster"', 'issuer = "clutser"')
    text = text.replace('name = "web-2"', 'name = "WEB-1"').replace('"library:no-raw"', '"library:raw"')
    lines = problems(tmp_path, text, "[[rule]]\nid = 'r'\n")
    assert [line.split(": ")[:2] for line in lines] == [
        ["bastion.toml", "identity[0].lifetime"],
        ["bastion.toml", "identity[1].issuer"],
        ["bastion.toml", "target[1].name"],
        ["bastion.toml", "policy.files[1]"],
        ["policy.toml", "rule[0].verdict"],
    ]


def test_broken_issuer_does_not_make_its_identities_wrong(tmp_path: Path) -> None:
    lines = problems(tmp_path, spoiled('groups_claim = "groups"', "groups_claims = 1"))
    assert [line.split(": ")[1] for line in lines] == ["issuer[0].groups_claims"]


def test_who_may_lock_is_said_apart_from_who_may_read_evidence(tmp_path: Path) -> None:
    text = WHOLE.replace("[bastion]\n", '[bastion]\nlockers = ["incident"]\n')
    bastion = load(write_config(tmp_path, text)).bastion
    assert bastion.lockers == frozenset({"incident"})
    assert bastion.responders == frozenset({"responders", "github/dba"})
    nobody = load(write_config(tmp_path, text.replace('["incident"]', "[]"))).bastion
    assert nobody.lockers == frozenset()


def test_schema_describes_every_key_and_its_default() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    free = {
        "jwks_file",
        "known_values",
        "groups_claim",
        "host_key",
        "host_ca",
        "file",
        "socket",
        "lockers",
        "uid",
        "approvers",
        "key_file",
        "answer_key_file",
        "team",
    }  # may be left out, and then are not there
    otherwise = {("AnswersTable", "listen"), ("NotifyTable", "approvers")}
    tables = {name: node for name, node in schema["$defs"].items() if "properties" in node}
    assert len(tables) == 12
    for title, table in tables.items():
        assert table["additionalProperties"] is False
        for name, node in table["properties"].items():
            assert node["description"], name
            assert "null" not in str(node), name
            absent = (name in free) != ((title, name) in otherwise)
            assert ("default" in node) == (not absent and name not in table.get("required", ())), name
    assert schema["$defs"]["IdentityTable"]["properties"]["lifetime"]["default"] == "15m"
    assert schema["$defs"]["RecorderTable"]["properties"]["quota"]["default"] == "1GiB"
    assert schema["properties"]["bastion"]["default"] == {}


@pytest.mark.parametrize(
    "value",
    [
        "5",
        "1.5",
        "nan",
        "true",
        "1979-05-27",
        '""',
        '"\\u0000"',
        '"glob:*"',
        "[]",
        "[[1]]",
        "[{}]",
        "{}",
        '{ "" = {} }',
    ],
)
def test_any_value_anywhere_gives_a_configuration_or_problems(tmp_path: Path, value: str) -> None:
    lines = WHOLE.splitlines()
    refused = []
    for at, line in enumerate(lines):
        key, assigned, _ = line.partition(" = ")
        if assigned:
            text = "\n".join([*lines[:at], f"{key} = {value}", *lines[at + 1 :]])
            try:
                load(write_config(tmp_path, text))
            except ConfigError as error:
                refused += error.problems
    assert len(refused) > 20
    assert all(", expected " in problem.message for problem in refused)
