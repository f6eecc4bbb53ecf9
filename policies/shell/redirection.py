"""Read redirections and here-documents.

In      the nodes of redirections, and the source that they lie in
Source  bash(1), REDIRECTION, Here Documents
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from policies.facts import Word
from policies.shell.findings import TooMuch
from policies.shell.grammar import Node, is_word, leaves_out
from policies.shell.words import Words

WORDS = (
    "word",
    "string",
    "raw_string",
    "concatenation",
    "number",
    "simple_expansion",
    "expansion",
    "ansi_c_string",
    "translated_string",
    "brace_expression",
    "arithmetic_expansion",
    "command_substitution",
    "process_substitution",
)
# What stands in the node of a here-document and is no command behind it.
OF_HEREDOC = (
    *(
        "heredoc_start",
        "heredoc_body",
        "heredoc_end",
        "file_descriptor",
        "file_redirect",
        "herestring_redirect",
    ),
    *WORDS,
)


def heredoc_text(redirect: Node, source: bytes) -> str | None:
    """Return what a command reads from it; None if it is computed."""
    body = next((child for child in redirect.children if child.type == "heredoc_body"), None)
    if body is None:
        return ""
    text = source[body.start_byte : body.end_byte].decode("utf-8", "surrogateescape")
    if any(child.type == "<<-" for child in redirect.children):
        text = re.sub(r"(?m)^\t+", "", text)
    if is_quoted(redirect, source):
        return text
    if re.search(r"[$`]", text):
        return None
    return text.replace("\\\n", "")


def is_quoted(redirect: Node, source: bytes) -> bool:
    """Say whether its delimiter is quoted: then nothing in it is expanded."""
    start = next(child for child in redirect.children if child.type == "heredoc_start")
    return re.search(rb"['\"\\]", source[start.start_byte : start.end_byte]) is not None


def hides_substitution(body: Node, source: bytes) -> bool:
    """Say whether a here-document has a substitution that the tree does not."""
    ends = [body.start_byte, body.end_byte]
    for child in body.children:
        if child.child_count:
            ends[-1:-1] = [child.start_byte, child.end_byte]
    rest = b" ".join(source[ends[at] : ends[at + 1]] for at in range(0, len(ends), 2))
    return re.search(rb"`|\$[({]", re.sub(rb"\\.", b"", rest, flags=re.DOTALL)) is not None


def words_behind(redirects: Sequence[Node]) -> list[Node]:
    """Return the words of the command that stand behind a redirection's file, or a here-document's delimiter.

    Raise TooMuch where such a word touches the file: it is a part of its name.
    """
    found: list[Node] = []
    for at, redirect in enumerate(redirects):
        _refuse_words(redirect)
        if any(_touch(one, after) for one, after in itertools.pairwise(redirect.children)):
            raise TooMuch("a word that touches the file of a redirection")
        if redirect.type == "heredoc_redirect":
            found += [child for child in redirect.children if child.type in WORDS]
        elif redirect.type == "file_redirect":
            places = redirect.children_by_field_name("destination")
            found += places[1 : len(places) - (descriptor_before(redirects, at + 1) is not None)]
    return found


def _touch(one: Node, after: Node) -> bool:
    return one.type in (*WORDS, "heredoc_start") and after.type in WORDS and one.end_byte == after.start_byte


def descriptor_before(redirects: Sequence[Node], at: int) -> Node | None:
    """Return the file descriptor of a redirection that the tree counts as a word of the one before."""
    if not 0 < at < len(redirects) or redirects[at - 1].type != "file_redirect":
        return None
    places = redirects[at - 1].children_by_field_name("destination")
    touches = (
        len(places) > 1
        and redirects[at].children[0].type not in ("&>", "&>>")  # these have none
        and places[-1].end_byte == redirects[at].start_byte
        and (places[-1].text or b"").isdigit()
    )
    return places[-1] if touches else None


def operators(redirect: Node, source: bytes, *, both_ways: bool) -> set[str]:
    """Return the operators of a redirection; with `both_ways`, `>|` stands for `<>`, which the grammar lacks."""
    _refuse_words(redirect)
    if leaves_out(redirect, source):
        raise TooMuch("a part of a redirection is in no part of the tree")
    found = {child.type for child in redirect.children if not child.is_named}
    if found & {">&-", "<&-"} and redirect.children[-1].is_named:
        raise TooMuch("what follows the dash that closes a descriptor is a word")
    return (found - {">|"}) | {"<>"} if both_ways and ">|" in found else found


def is_of_input(redirects: Sequence[Node], at: int, found: set[str]) -> bool:
    """Say whether a redirection with these operators is of what a command reads."""
    before = descriptor_before(redirects, at)
    numbers = [before] if before is not None else []
    numbers += [child for child in redirects[at].children if child.type == "file_descriptor"]
    number = [one.text for one in numbers]
    return number == [b"0"] or (not number and bool(found & {"<", "<&", "<>", "<&-"}))


def read_on(redirect: Node, words: Words, *, copies: bool) -> Word | None:
    """Return the file that a command reads, if any; which one a descriptor is of that is copied is not known."""
    places = redirect.children_by_field_name("destination")[:1]
    if not places or words.text(places[0]) == "-":
        return None
    found = words.of(places)
    return found[0] if len(found) == 1 and not copies else Word(words.text(redirect), "computed")


def _refuse_words(redirect: Node) -> None:
    """Raise TooMuch where a word of the command is still taken for the descriptor."""
    if any(map(is_word, redirect.children)):
        raise TooMuch("a word that touches a redirection")


def starts_at(node: Node) -> int:
    """Return the byte that a node begins with."""
    return node.start_byte


def copies_input(redirect: Node) -> bool:
    """Say whether a redirection copies a descriptor to another; `<&-` closes one."""
    places = redirect.children_by_field_name("destination")
    return any(child.type == "<&" for child in redirect.children) and [one.text for one in places] != [b"-"]
