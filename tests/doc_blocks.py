"""Cut the fenced blocks out of a Markdown page.

A block begins with a language and then words that tell the tests what to do with it:

    sh [exit=N]       commands: run by tests/test_docs.py, in the order of the page, with this exit status (0)
    … file=NAME       a file: written under this name before what follows is run
    toml [policy]     part of a configuration, or of a policy file
    yaml              a pipeline: its scripts are run
    text, ini, sql    for reading (or for `file=`)
    text output       what the commands before it print; `…` stands for what differs (tests/test_policy_docs.py)

In      the text of a page
Out     Block
Errors  AssertionError for a fence that is never closed
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block; `line` is where its first line stands on the page."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def option(self, name: str) -> str | None:
        """Return the value of `NAME=VALUE` behind the language."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)

    @property
    def file(self) -> str | None:
        return self.option("file")

    @property
    def exit_status(self) -> int:
        return int(self.option("exit") or 0)

    def scripts(self) -> list[str]:
        """Return the scripts of a pipeline in YAML: `run: |`, `- |` and the items of `script:`."""
        return [*_literal(self.text), *_items(self.text)]


def blocks_of(page: str, text: str) -> list[Block]:
    """Return all fenced blocks in order."""
    found: list[Block] = []
    begun: tuple[int, list[str]] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```") and begun is None:
            begun, lines = (number + 1, line[3:].split()), []
        elif line.startswith("```") and begun is not None:
            language, *words = begun[1] or ["text"]
            body = "\n".join(lines) + "\n"
            found.append(Block(page=page, line=begun[0], language=language, words=tuple(words), text=body))
            begun = None
        else:
            lines.append(line)
    assert begun is None, f"{page}:{begun}: this block is never closed"
    return found


def _literal(text: str) -> list[str]:
    """Return the literal blocks (`|`) of a YAML text, without their indentation."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not re.fullmatch(r"\s*(?:run: |- )\|", line):
            continue
        first = lines[number + 1]
        indent = len(first) - len(first.lstrip())
        body = []
        for later in lines[number + 1 :]:
            if later.strip() and len(later) - len(later.lstrip()) < indent:
                break
            body.append(later[indent:])
        found.append("\n".join(body) + "\n")
    return found


def _items(text: str) -> list[str]:
    """Return the lists under `before_script:` and `script:`, each as one script."""
    found = []
    for listed in re.finditer(r"^ *(?:before_script|script):\n((?: *- .*\n)+)", text, re.MULTILINE):
        found.append("".join(line.split("- ", 1)[1] + "\n" for line in listed[1].splitlines()))
    return found
