"""Parse shell text into a tree.

In      bytes of a statement, without NUL
Out     the root node of its tree, or None where the grammar does not know it
Source  tree-sitter-bash
"""

from __future__ import annotations

import re
import threading

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

__all__ = ["BRANCHES", "LOOSE", "RESERVED", "Node", "leaves_out", "parse"]

_LANGUAGE = Language(tree_sitter_bash.language())
_GAP = re.compile(rb"(?:[ \t\n]|\\\n)*\Z")
_BEGINS_WITH_WORD = frozenset({"declaration_command", "unset_command", "test_command"})
RESERVED = frozenset(
    {
        *(
            "if",
            "then",
            "elif",
            "else",
            "fi",
            "for",
            "while",
            "until",
            "do",
            "done",
            "case",
            "esac",
            "select",
        ),
        *("function", "{", "}", "!", "[[", "]]"),
    }
)
_of_thread = threading.local()

# Kinds of nodes: those whose children do not cover them; those that run what is in them or not, or apart.
LOOSE = frozenset(
    {"heredoc_redirect", "heredoc_body", "string", "expansion", "concatenation", "ansi_c_string"}
)
BRANCHES = frozenset(
    [
        "if_statement",
        "while_statement",
        "for_statement",
        "c_style_for_statement",
        "case_statement",
        "function_definition",
        "subshell",
        "command_substitution",
        "process_substitution",
    ]
)


def parse(source: bytes) -> Node | None:
    """Return the tree of a whole statement; None if any part of it is an error or had to be made up."""
    parser: Parser | None = getattr(_of_thread, "parser", None)
    if parser is None:
        parser = _of_thread.parser = Parser(_LANGUAGE)
    root = parser.parse(source).root_node
    return None if root.has_error else root


def leaves_out(node: Node, source: bytes) -> bool:
    """Say whether something but space lies between the children of a node, or no space where there must be some."""
    children = node.children
    worded = node.type in _BEGINS_WITH_WORD and children[0].type != "((" and len(children) > 1
    if worded and children[0].end_byte == children[1].start_byte:
        return True
    at, assigned = node.start_byte, False
    for child in children:
        if assigned and child.is_named and child.start_byte == at:
            return True
        assigned = child.type == "variable_assignment"
        start = child.start_byte
        if start > at and not _GAP.match(source, at, start):
            return True
        at = max(at, child.end_byte)
    return False
