"""[limits]: what is left out has the defaults of the code, and what is written is checked and converted."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from bastion.config import ConfigError, load
from bastion.config_tables import LimitsTable
from bastion.limits import Limits
from tests.unit.bastion.config_fixture import WHOLE, write_config


def with_limits(folder: Path, lines: str) -> Limits:
    return load(write_config(folder, f"{WHOLE}\n[limits]\n{lines}\n")).limits


def test_what_is_left_out_has_the_defaults_of_the_code(tmp_path: Path) -> None:
    assert load(write_config(tmp_path)).limits == Limits()
    assert len(LimitsTable.model_fields) == len(fields(Limits))


def test_each_key_sets_its_own_limit(tmp_path: Path) -> None:
    lines = {
        "connections": 11,
        "connections_per_source": 12,
        "handshakes": 13,
        "handshakes_per_source": 14,
        "failures_per_source": 15,
        "auth_tries": 16,
        "handshake": '"17s"',
        "rekey": '"18s"',
        "keepalive": '"23s"',
        "idle_connection": '"19s"',
        "idle_session": '"20m"',
        "channels": 21,
        "requests": 22,
        "packet_before_login": 40_000,
        "packet": '"64KiB"',
    }
    assert lines.keys() == LimitsTable.model_fields.keys()
    limits = with_limits(tmp_path, "\n".join(f"{key} = {value}" for key, value in lines.items()))
    expected = (11, 12, 13, 14, 15, 16, 17, 18, 23, 19, 1200, 21, 22, 40_000, 65536)
    assert tuple(getattr(limits, field.name) for field in fields(limits)) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("connections = 0", "limits.connections: got 0, expected"),
        ('connections = "many"', 'limits.connections: got "many", expected'),
        ("auth_tries = 2", "limits.auth_tries: got 2, expected"),
        ('handshake = "0s"', 'limits.handshake: got "0s", expected a duration from 1s to 1h'),
        ("handshake = 30", "limits.handshake: got 30, expected a duration from 1s to 1h"),
        ("packet_before_login = 1000", "limits.packet_before_login: got 1000, expected a size from 35000"),
        ('packet = "1GiB"', "limits.packet: got 1073741824, expected a size from 35000 to 1048576"),
        ("chanels = 1", 'limits.chanels: unknown key (did you mean "channels"?)'),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_name(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_limits(tmp_path, line)
    assert message in str(caught.value)
