"""What is wrong between tables that are each sound."""

from pathlib import Path

import pytest

from bastion.config import load
from bastion.config_errors import ConfigError
from tests.unit.bastion.config_fixture import HOST_KEY, LEAST, WHOLE, issuer_table, spoiled, write_config


def only_problem(folder: Path, config: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write_config(folder, config))
    (problem,) = caught.value.problems
    return str(problem).removeprefix(f"{folder}/bastion.toml: ")


@pytest.mark.parametrize(
    ("data", "keys", "how"),
    [
        ("./var", "./var/keys", "under"),
        ("./keys/data", "./keys", "round"),
        ("./a", "./b/../a", "the same folder as"),
    ],
)
def test_keys_and_evidence_are_kept_apart(tmp_path: Path, data: str, keys: str, how: str) -> None:
    text = spoiled('data = "./var"', f'data = "{data}"').replace('keys = "./keys"', f'keys = "{keys}"')
    line = only_problem(tmp_path, text)
    assert line.startswith("bastion.keys: ")
    assert f" is {how} bastion.data (" in line
    assert line.endswith("expected a folder apart from it: who backs up evidence must not copy the CAs")


def test_keys_are_not_hidden_under_evidence_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "var" / "secret").mkdir(parents=True)
    (tmp_path / "keys").symlink_to(tmp_path / "var" / "secret")
    assert only_problem(tmp_path, WHOLE).startswith("bastion.keys: ")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"[::1]:0"',
            '"127.0.0.1:2222"',
            'bastion.listen[1]: "127.0.0.1:2222" is taken by bastion.listen[0], exp',
        ),
        (
            '"127.0.0.1"]',
            '"Bastion.acme.example"]',
            'bastion.names[1]: "bastion.acme.example" is taken by bastion.n',
        ),
        (
            'name = "sam@acme.example"',
            'name = "dana@acme.example"',
            'person[1].name: "dana@acme.example" is taken by',
        ),
        (
            '{ github = "dana" }',
            '{ gitlab = "dana" }',
            'person[0].aliases.gitlab: no issuer is called "gitlab", expe',
        ),
        (
            'name = "sam@acme.example"',
            'name = "sam@acme.example"\naliases = { github = "dana" }',
            'person[1].aliases.github: "dana" is taken by person[0], expected one person',
        ),
        (
            'name = "nightly"\nowner',
            'name = "orders-deployer"\nowner',
            'identity[1].name: "orders-deployer" is taken',
        ),
        (
            'issuer = "cluster"',
            'issuer = "k8s"',
            'identity[1].issuer: no issuer is called "k8s", expected "cluster" or',
        ),
        ('name = "web-2"', 'name = "WEB-1"', 'target[1].name: "web-1" is taken by target[0].name, expected'),
        (
            'name = "web-2"',
            'name = "BASTION.acme.example"',
            'target[1].name: "BASTION.acme.example" is a name of the b',
        ),
        (
            f'host_ca = "{HOST_KEY}"\n',
            "",
            "target[1]: has neither host_key nor host_ca, expected one of them",
        ),
        (
            "host_ca =",
            f'host_key = "{HOST_KEY}"\nhost_ca =',
            "target[1]: has both host_key and host_ca, expected one",
        ),
        (
            'kind = "key", file',
            'kind = "certificate", file',
            "target[0].auth.file: is set but unused with kind =",
        ),
        (', file = "web-1.key"', "", "target[0].auth.file: is missing, expected the file of a private key"),
        ('"web-1.key"', '"var/web-1.key"', "target[0].auth.file: "),
        ('"web-1.key"', '"none.key"', "target[0].auth.file: there is no file "),
        ('"cluster.json"', '"none.json"', "issuer[1].jwks_file: there is no file "),
    ],
)
def test_contradiction_names_the_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    line = only_problem(tmp_path, spoiled(old, new))
    assert line.startswith(expected)
    assert ", expected " in line


def test_issuers_of_one_name_or_url_are_refused(tmp_path: Path) -> None:
    line = only_problem(
        tmp_path, LEAST + issuer_table("a", "https://a.example") + issuer_table("a", "https://b.example")
    )
    assert line.startswith('issuer[1].name: "a" is taken by issuer[0].name, expected')
    line = only_problem(
        tmp_path, LEAST + issuer_table("a", "https://a.example") + issuer_table("b", "https://a.example")
    )
    assert line.startswith('issuer[1].url: "https://a.example" is taken by issuer[0].url, expected')


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a.example",
            "ftp://a.example",
            "https://",
            "https://u:p@a.example",
            "https://a.example?x=1",
        ),
        *(
            "https://a#b",
            "https://a.example:99999",
            "https://[::1",
            "http://localhost.a.example",
            "a.example",
        ),
        "file:///etc/passwd",
    ],
)
def test_t10_issuer_is_fetched_over_https_only(tmp_path: Path, url: str) -> None:
    line = only_problem(tmp_path, LEAST + issuer_table("a", url))
    assert line.startswith("issuer[0].url: got ")
    assert (
        "expected an https URL without user, query, fragment (http on loopback only), or a jwks_file" in line
    )


@pytest.mark.parametrize(
    "url", ["https://a.example/path", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"]
)
def test_issuer_on_loopback_may_speak_http(tmp_path: Path, url: str) -> None:
    assert load(write_config(tmp_path, LEAST + issuer_table("a", url))).issuers[0].url == url


def test_issuer_that_is_not_fetched_may_be_called_anything(tmp_path: Path) -> None:
    text = LEAST + issuer_table("a", "kubernetes/serviceaccount") + 'jwks_file = "cluster.json"\n'
    assert load(write_config(tmp_path, text)).issuers[0].url == "kubernetes/serviceaccount"


def test_two_identities_that_match_the_same_tokens_are_refused(tmp_path: Path) -> None:
    other = 'match = { "kubernetes.io" = { namespace = "orders", serviceaccount = { name = "nightly" } } }'
    same = 'match = { ref = ["glob:refs/heads/release/*"], repository_id = "1296269" }'
    text = spoiled(other, same)
    assert (
        load(write_config(tmp_path, text)).identities[1].issuer == "cluster"
    )  # another issuer, other tokens
    line = only_problem(tmp_path, text.replace('issuer = "cluster"', 'issuer = "github"'))
    assert (
        line == "identity[1].match: is the same as that of identity[0], expected one identity for each token"
    )
