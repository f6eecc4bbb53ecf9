"""List the fuzz targets by name; a target's module is imported when it is asked for, so that it can be instrumented."""

from __future__ import annotations

from importlib import import_module

from tests.fuzz.target import Target

PLACES = {
    "transport": ("ssh_targets", "TRANSPORT"),
    "auth": ("ssh_targets", "AUTH"),
    "certificate": ("key_targets", "CERTIFICATE"),
    "token": ("token_targets", "TOKEN"),
    "configuration": ("configuration_target", "CONFIGURATION"),
    "key_line": ("key_targets", "KEY_LINE"),
    "packets": ("ssh_targets", "PACKETS"),
    "jump": ("ssh_targets", "JUMPED"),
    "sftp": ("transfer_targets", "SFTP"),
    "scp": ("transfer_targets", "SCP"),
    "names": ("transfer_targets", "NAMES_TARGET"),
    "recording": ("recording_target", "RECORDING"),
    "statement": ("shell_targets", "STATEMENT"),
    "script": ("shell_targets", "SCRIPT"),
    "parsers": ("shell_targets", "PARSERS"),
    "oracle": ("shell_targets", "ORACLE"),
}


def target(name: str) -> Target:
    """Return the target of this name."""
    module, constant = PLACES[name]
    found = getattr(import_module(f"tests.fuzz.{module}"), constant)
    assert isinstance(found, Target)
    return found
