"""Names that end up in certificates, key ids and known_hosts."""

from collections.abc import Callable

import pytest

from bastion.names import (
    check_group,
    check_identity_name,
    check_issuer_name,
    check_login,
    check_target_name,
    check_text,
)


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (check_target_name, "web-1"),
        (check_target_name, "api-0.payments.prod"),
        (check_target_name, "Web_1"),
        (check_identity_name, "orders-deployer"),
        (check_identity_name, "a" * 64),
        (check_issuer_name, "github"),
        (check_group, "Deployers_2"),
        (check_login, "deploy"),
        (check_login, "svc.user@corp"),
        (check_text, "Dana von Acme"),
    ],
)
def test_ordinary_name_is_taken_as_it_is(check: Callable[[str], str], name: str) -> None:
    assert check(name) == name


@pytest.mark.parametrize("char", [*" \t\n\r\0\x1b,*?!@[]:/|#%\"'\\", "\u202e", "\u200b", "é"])
def test_t7_target_name_has_no_character_that_acts_elsewhere(char: str) -> None:
    for name in (f"web{char}1", f"web{char}", f"{char}web"):
        with pytest.raises(ValueError, match=r"^got .*, expected a name of letters, digits"):
            check_target_name(name)


@pytest.mark.parametrize("name", ["", "-web", ".web", "a" * 254])
def test_target_name_begins_with_a_letter_or_digit_and_ends_somewhere(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        check_target_name(name)


@pytest.mark.parametrize("name", ["login", "LOGIN"])
def test_target_is_never_called_login(name: str) -> None:
    with pytest.raises(ValueError, match="which is where certificates are asked for, expected another name"):
        check_target_name(name)


@pytest.mark.parametrize("name", ["", "a" * 65, "Orders", "a/b", "a,b", "a b", "-a", "a\n", "é"])
def test_t7_identity_name_has_no_slash_comma_or_control(name: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected at most 64 lower-case"):
        check_identity_name(name)


@pytest.mark.parametrize("name", ["", "GitHub", "git/hub", "git.hub", "a" * 65])
def test_issuer_name_cannot_be_taken_for_a_group(name: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected lower-case letters"):
        check_issuer_name(name)


@pytest.mark.parametrize("name", ["", "github/dba", "a,b", "a b", "-a", "a\n"])
def test_declared_group_cannot_pass_for_one_out_of_a_token(name: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected a group of letters"):
        check_group(name)


@pytest.mark.parametrize("name", ["", "-oProxyCommand=x", "a,root", "a b", "a\0", "a\n", "a\u200b"])
def test_t7_login_is_one_principal_without_controls(name: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected a user name"):
        check_login(name)


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a\x1b[2J", "\u202eabc"])
def test_text_is_one_printable_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected one line of printable text$"):
        check_text(text)
