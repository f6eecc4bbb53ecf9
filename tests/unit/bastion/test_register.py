"""The register is asked once for the whole service: whose token this is, and who asks too often."""

from __future__ import annotations

from bastion.notes import BURST
from bastion.register import ASK_BURST, FORGET_TOKENS, OwnRegister
from recorder.audit import Entry

NOW = 1_700_000_000.0


def used(token: str, key: str, expires: int) -> Entry:
    detail = {"token": token, "key": key, "token_expires": expires}
    return Entry(seq=1, at_us=1, kind="certificate.issued", detail=detail, hash="")


async def test_t16_a_token_stays_with_the_key_that_came_first() -> None:
    register = OwnRegister(lambda: NOW)
    asked = [await register.first_key("token", key, int(NOW) + 60) for key in ("one", "two", "one")]
    assert asked == ["one", "one", "one"]
    assert await register.first_key("another", "two", int(NOW) + 60) == "two"


async def test_t16_what_the_chain_says_is_remembered_until_the_token_expires() -> None:
    register = OwnRegister(lambda: NOW)
    register.remember([used("lives", "one", int(NOW) + 60), used("over", "one", int(NOW))])
    assert await register.first_key("lives", "two", int(NOW) + 60) == "one"
    assert await register.first_key("over", "two", int(NOW) + 60) == "two"


async def test_tokens_that_live_are_never_forgotten() -> None:
    register = OwnRegister(lambda: NOW)
    for at in range(3 * FORGET_TOKENS):
        await register.first_key(f"{at}", "one", int(NOW) + 60)
    assert await register.first_key("0", "two", int(NOW) + 60) == "one"


async def test_t20_each_source_has_a_measure_for_each_thing() -> None:
    register = OwnRegister(lambda: NOW)
    asked = [await register.may_ask("192.0.2.7") for _ in range(int(ASK_BURST) + 5)]
    noted = [await register.may_note("192.0.2.7", "login.refused") for _ in range(int(BURST) + 5)]
    assert (asked.count(True), noted.count(0), noted.count(None)) == (ASK_BURST, BURST, 5)
    assert await register.may_ask("192.0.2.8")
