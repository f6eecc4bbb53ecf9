"""Judge one file at a time against the rules of the house, and say what to do about each fault.

In      a path relative to the repository, and that file's text
Out     list of faults, each "path:line: what is wrong: what to do"; empty when the file is sound
Source  DESIGN sections 1 and 4; STYLE
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from types import ModuleType

import asyncssh

PRODUCT = ("bastion", "recorder", "policies")
LIBRARIES = {"recorder": ("bastion", "policies"), "policies": ("bastion", "recorder")}
COMPOSITION_ROOT = (
    *("bastion/runtime.py", "bastion/serving.py", "bastion/issuers.py", "bastion/workers/supervisor.py"),
    *("bastion/notifying.py", "bastion/cli/*", "bastion/demo/*"),
)
CATCHES_ALL = ("bastion/reloading.py", "bastion/cli/main.py")
ASYNCSSH_HOOKS = "bastion/adapters/asyncssh_hooks/*"
ASYNCSSH_MODULES = frozenset(name for name, it in vars(asyncssh).items() if isinstance(it, ModuleType))
NAMEDTUPLE_METHODS = ("_asdict", "_make", "_replace", "_fields")

# Each third-party module that the product imports, and the only files that may. `*` also crosses `/`.
HOMES = {
    "aiohttp": (
        "bastion/adapters/answers_http.py",
        "bastion/adapters/oidc_http.py",
        "bastion/adapters/webhook_http.py",
        "bastion/demo/*",
    ),
    "apprise": ("bastion/adapters/apprise_process.py",),
    "asyncssh": ("bastion/adapters/*",),
    "click": ("bastion/cli/*", "bastion/demo/story.py"),
    "cryptography": (
        "bastion/adapters/asyncssh_hooks/packets.py",
        "bastion/certificate.py",
        "bastion/keyring.py",
        "recorder/seal.py",
    ),
    "hyperscan": ("policies/masking/candidates.py",),
    "jwcrypto": ("bastion/token.py", "recorder/seal.py", "bastion/demo/issuer.py"),
    "msgspec": ("recorder/*",),
    "phonenumbers": ("policies/masking/validators.py",),
    "prompt_toolkit": ("bastion/approval_screen/terminal.py",),
    "pydantic": ("bastion/config*.py", "policies/document*.py", "policies/cases.py"),
    "pyte": ("recorder/screen.py",),
    "re2": ("policies/pattern.py", "policies/masking/compiled.py"),
    "sqlite3": ("recorder/*", "bastion/demo/story.py", "bastion/notices/outbox.py"),
    "sqlite_utils": ("recorder/store*.py",),
    "stdnum": ("policies/masking/validators.py",),
    "tabulate": ("bastion/cli/tables.py",),
    "tree_sitter": ("policies/shell/grammar.py",),
    "tree_sitter_bash": ("policies/shell/grammar.py",),
    "ulid": ("bastion/house.py",),
    "zstandard": ("recorder/chunk.py",),
}

BANNED_WORDS = frozenset(
    {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "managers"}
)
MAX_LINES = 400
MAX_SCRIPT_LINES = 80
SKIPS = frozenset({"skip", "skipif", "xfail", "importorskip", "skipTest", "skipIf", "skipUnless", "SkipTest"})
SKIPPERS = ("pytest", "unittest", "mark", "self", "request")
HIDERS = frozenset({"collect_ignore", "collect_ignore_glob"})

# Cut in two, so that this file obeys the rule that it states.
POLICY_FILES = "policies/library/"  # rules speak of everybody's home folders
MACHINE_PATH = re.compile(r"(?<![\w.~*}-])/(?:(?:root|home|work)" + r"/|tmp/w\b)")
REGISTRY_HOST = re.compile(
    r"(?:pypi\." + r"org|pythonhosted\." + r"org|npmjs\." + r"(?:org|com))", re.IGNORECASE
)


def import_faults(path: str, source: str) -> list[str]:
    """Return a fault for each import that a library may not make, or of a third party outside its home."""
    faults = []
    package = path.split("/")[0]
    for line, name in imported_names(path, source):
        top = name.split(".")[0]
        if top in LIBRARIES.get(package, ()):
            faults.append(
                f"{path}:{line}: {package} is a library and may not import {top}: take a value or a Protocol"
            )
        elif top in HOMES:
            if not _matches(path, HOMES[top]):
                faults.append(
                    f"{path}:{line}: {top} has its home in {', '.join(HOMES[top])}: ask that module instead"
                )
        elif top not in PRODUCT and top not in sys.stdlib_module_names:
            faults.append(
                f"{path}:{line}: {top} has no home yet: name one in tests/architecture_rules.py HOMES"
            )
    return sorted(set(faults))


def adapter_import_faults(path: str, source: str) -> list[str]:
    """Return a fault for each import of an adapter by anything but an adapter or the composition root."""
    if _matches(path, ("bastion/adapters/*", *COMPOSITION_ROOT)):
        return []
    return sorted(
        {
            f"{path}:{line}: only the composition root imports adapters: declare a Protocol here"
            for line, name in imported_names(path, source)
            if f"{name}.".startswith("bastion.adapters.")
        }
    )


def asyncssh_private_faults(path: str, source: str) -> list[str]:
    """Return a fault for each use, in an adapter, of asyncssh's submodules and of objects' private names.

    Known limit: `self._name` passes, although a subclass reaches its parent's private names by it.
    """
    if _matches(path, (ASYNCSSH_HOOKS,)) or not _matches(path, HOMES["asyncssh"]):
        return []
    lines: set[tuple[int, str]] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                lines.update((node.lineno, a.name) for a in names if a.name.startswith("asyncssh."))
            case ast.ImportFrom(module=str(module), level=0) if module.startswith("asyncssh."):
                lines.add((node.lineno, module))
            case ast.ImportFrom(module="asyncssh", level=0, names=names):
                inside = (a.name for a in names if a.name in ASYNCSSH_MODULES or a.name.startswith("_"))
                lines.update((node.lineno, f"asyncssh.{name}") for name in inside)
            case ast.Attribute(value=ast.Name(id="asyncssh"), attr=attr) if attr in ASYNCSSH_MODULES:
                lines.add((node.lineno, f"asyncssh.{attr}"))
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str(attr)), *_]
            ) if attr.startswith("_"):
                lines.add((node.lineno, f".{attr}"))
            case ast.Attribute(attr=attr) if re.match(r"_(?!_)", attr) and attr not in NAMEDTUPLE_METHODS:
                lines.add((node.lineno, f".{attr}"))
    return [
        f"{path}:{line}: {what} is private: reach it through {ASYNCSSH_HOOKS} only"
        for line, what in sorted(lines)
    ]


def size_faults(path: str, source: str) -> list[str]:
    """Return a fault if a module is longer than 400 lines."""
    lines = len(source.splitlines())
    return [f"{path}:{lines}: more than {MAX_LINES} lines: find the second subject and split it off"] * (
        lines > MAX_LINES
    )


def docstring_faults(path: str, source: str) -> list[str]:
    """Return a fault if a product module of more than 5 lines does not begin by saying what it is for."""
    if len(source.splitlines()) <= 5 or ast.get_docstring(ast.parse(source)):
        return []
    return [f"{path}:1: no module docstring: begin with one sentence of purpose, then the labels that apply"]


def name_faults(path: str, source: str) -> list[str]:
    """Return a fault for each word of a path that names no subject; the text is not looked at."""
    words = {word for part in PurePosixPath(path).with_suffix("").parts for word in part.lower().split("_")}
    return [
        f"{path}:1: {word!r} names no subject: use a noun of the field"
        for word in sorted(words & BANNED_WORDS)
    ]


def blind_except_faults(path: str, source: str) -> list[str]:
    """Return a fault for each handler or `suppress`, outside the composition root, that hides any error."""
    if path in CATCHES_ALL:
        return []
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        caught: list[ast.expr] = []
        match node:
            case ast.ExceptHandler(body=[*_, ast.Raise(exc=None)]):
                pass  # cleans up and lets the error go on
            case ast.ExceptHandler(type=None):
                lines.add(node.lineno)
            case ast.ExceptHandler(type=ast.Tuple(elts=caught)):
                pass
            case ast.ExceptHandler(type=ast.expr() as only):
                caught = [only]
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=caught):
                pass
        lines.update(it.lineno for it in caught if _last_name(it) in ("Exception", "BaseException"))
    allowed = " and ".join(CATCHES_ALL)
    return [
        f"{path}:{line}: catches everything: name the errors, or leave it to {allowed}"
        for line in sorted(lines)
    ]


def skip_faults(path: str, source: str) -> list[str]:
    """Return a fault for each way by which a test might not be run, or might fail unseen."""
    lines = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=value, attr=attr) if attr in SKIPS and _last_name(value) in SKIPPERS:
                lines.add(node.lineno)
            case ast.ImportFrom(module="pytest" | "unittest", names=names) if SKIPS & {a.name for a in names}:
                lines.add(node.lineno)
            case ast.Name(id=name, ctx=ast.Store()) if name in HIDERS:
                lines.add(node.lineno)
    return [f"{path}:{line}: may not run: let it fail, and mend what is missing" for line in sorted(lines)]


def text_faults(path: str, text: str) -> list[str]:
    """Return a fault for each line that speaks of one machine or of where packages come from."""
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        if not path.startswith(POLICY_FILES) and (found := MACHINE_PATH.search(line)):
            faults.append(
                f"{path}:{number}: {found[0]!r} is a path of one machine: say it relative, or as a variable"
            )
        if found := REGISTRY_HOST.search(line):
            faults.append(
                f"{path}:{number}: {found[0]!r} is a registry: lock files name versions and hashes only"
            )
    return faults


def script_faults(path: str, text: str, *, executable: bool) -> list[str]:
    """Return what keeps a script from being short, running by its name and stopping at a failure."""
    first, lines = text.partition("\n")[0], text.splitlines()
    faults = []
    if not executable:
        faults.append(f"{path}:1: not executable: chmod 755 {path}")
    if not first.startswith("#!"):
        faults.append(f"{path}:1: no shebang: begin with #!/usr/bin/env bash")
    if re.search(r"\b(?:ba)?sh$", first) and "set -euo pipefail" not in lines:
        faults.append(f"{path}:1: goes on after a failure: add the line set -euo pipefail")
    if len(lines) >= MAX_SCRIPT_LINES:
        faults.append(
            f"{path}:{len(lines)}: {MAX_SCRIPT_LINES} lines or more: move the work into the program"
        )
    return faults


def imported_names(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) of all that a module imports, be it by a name in a string."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package[: len(package) - level + 1] if level else ()
                base = ".".join((*above, module) if module else above)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
