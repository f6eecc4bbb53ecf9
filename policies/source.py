"""Find the text of a policy file: one of the operator's, or one that is shipped here.

In      a path, relative to a folder, or `library:NAME`
Out     Source: the text, and the label that errors and people know it by
Errors  PolicyUnreadableError, with the label and what was expected
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from policies.errors import PolicyUnreadableError
from policies.problem import listed, shown

LIBRARY_PREFIX = "library:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of one policy file under its label."""

    label: str
    text: str


def library_names() -> tuple[str, ...]:
    """Return the names of the shipped policies, sorted."""
    files = resources.files("policies").joinpath("library").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def read_source(name: str, folder: Path) -> Source:
    """Return the policy file of this name; raise PolicyUnreadableError if there is none in UTF-8."""
    if name.startswith(LIBRARY_PREFIX):
        return _shipped(name)
    path = folder / name
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyUnreadableError(
            f"{path} is not UTF-8 at byte {error.start}, expected a policy in TOML"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyUnreadableError(f"{path} cannot be read ({reason}), expected a policy in TOML") from None
    return Source(label=str(path), text=text)


def _shipped(name: str) -> Source:
    names = library_names()
    if name.removeprefix(LIBRARY_PREFIX) not in names:
        known = listed([f'"{LIBRARY_PREFIX}{shipped}"' for shipped in names])
        raise PolicyUnreadableError(f"no shipped policy is called {shown(name)}, expected {known}")
    file = resources.files("policies").joinpath("library", f"{name.removeprefix(LIBRARY_PREFIX)}.toml")
    return Source(label=name, text=file.read_text("utf-8"))
