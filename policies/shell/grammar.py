"""Parse shell text into a tree.

In      bytes of a statement, without NUL
Out     the root node of its tree, or None where the grammar does not know it
Source  tree-sitter-bash
"""

from __future__ import annotations

import itertools
import re
import threading

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

__all__ = ["BRANCHES", "LOOSE", "RESERVED", "Node", "is_word", "leaves_out", "no_program", "parse", "parsed"]

_LANGUAGE = Language(tree_sitter_bash.language())
_GAP = re.compile(rb"(?:[ \t\n]|\\\n)*\Z")
_LINE_GAP = re.compile(rb"(?:[ \t]|\\\n)*\Z")
# These end with their line; the grammar takes `a|b|c` NEWLINE `d||e` for one command `c d`, and more of the kind.
_OF_ONE_LINE = frozenset(
    {
        *("command", "redirected_statement", "negated_command", "declaration_command", "unset_command"),
        *("file_redirect", "herestring_redirect", "variable_assignments"),
    }
)
_JOINED = frozenset({"pipeline", "list"})  # a newline may follow what joins the parts, and precede nothing
_BARE_NEWLINE = re.compile(rb"(?<!\\)\n")
_TOUCHES = re.compile(rb"-[^ \t\n<>]*[0-9][<>]")
_LONE_DASH = re.compile(rb"[ \t]+(-)[ \t]+")
_NAMES_DESCRIPTOR = re.compile(rb"(?:\A|[ \t\n;&|(])\{[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\}\Z")
_BOTH_WAYS = re.compile(rb"(?<![^ \t\n;|&({])([0-9]*)<>(?=[ \t]*[A-Za-z0-9_./~\"'$])")
MAX_REPAIRS = 8
MAX_DESCRIPTOR_DIGITS = 9  # a number that is no C int is a word
# `cat > f <<< x`, which the grammar does not know, is `cat <<< x > f`: nothing is quoted before it, none is of stdin.
_HERE_STRING_LAST = re.compile(
    rb"([^'\"\\`$#<>(){};&|]*[ \t])((?:(?:[12]?>>?[ \t]*[\w./~-]+|2>&1)[ \t]*)+)"
    rb"(<<<[ \t]*(?:'[^'\n]*'|\"(?:[^\"\\`$\n]|\$(?!\())*\"|[\w./~:@%+,-]+))[ \t]*(?=\Z|[;&|\n])"
)
_ASSIGNS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_OPERATOR = re.compile(rb"[&|;<>()]")
_PATTERNS = frozenset({"regex", "extglob_pattern"})
_OPAQUE_WORDS = frozenset(
    {
        *("string", "raw_string", "ansi_c_string", "translated_string", "expansion", "arithmetic_expansion"),
        *("command_substitution", "process_substitution"),
    }
)
_BEGINS_WITH_WORD = frozenset(
    {"declaration_command", "unset_command", "test_command", "negated_command", "compound_statement"}
)
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


def parsed(source: bytes) -> tuple[Node | None, bytes]:
    """Return the tree of a statement, and the text that it is of: what the grammar overlooks is spelt otherwise there.

    A newline that ends a command is `;`, as long as it is certain that it does; a lone `-` before `<<` is `\\-`; `-5`
    and `>` do not touch; `<>`, which it does not know, is `>|`, where there is no other; a here-string stands before
    other redirections. What stays overlooked leaves_out tells.
    """
    root = parse(source)
    if root is None and b"<>" in source and not any(other in source for other in (b">|", b"<<")):
        source = _BOTH_WAYS.sub(rb"\1>|", source)
        root = parse(source)
    if root is None and (found := _HERE_STRING_LAST.match(source)):
        source = found[1] + found[3] + b" " + found[2] + source[found.end() :]
        root = parse(source)
    for _ in range(MAX_REPAIRS if b"\n" in source[:-1] or _TOUCHES.search(source) else 0):
        edits = {} if root is None else _overlooked(root, source)
        if not edits:
            break
        text = bytearray(source)
        for place in sorted(edits, reverse=True):
            text[place : place + 1] = edits[place]
        source = bytes(text)
        root = parse(source)
    return root, source


def _overlooked(root: Node, source: bytes) -> dict[int, bytes]:
    """Return what to write for which byte that lies between the words of a command, and in none of them."""
    edits: dict[int, bytes] = {}
    documents = b"<<" in source
    nodes = [root]
    while nodes:
        node = nodes.pop()
        children = node.children
        nodes += children
        if is_word(node):
            edits[node.end_byte] = b" " + source[node.end_byte : node.end_byte + 1]
        if node.type not in _OF_ONE_LINE:
            continue
        for before, after in itertools.pairwise(children):
            start, end = before.end_byte, after.start_byte
            if (dash := _LONE_DASH.fullmatch(source, start, end)) and after.type == "heredoc_redirect":
                edits[dash.start(1)] = b"\\-"
            elif not documents and (found := _BARE_NEWLINE.search(source, start, end)):
                place = found.end() - 1
                begins = source.rfind(b"\n", 0, place) + 1
                if before.type == "comment" or b"#" in source[begins:place]:
                    return {}  # behind a comment a semicolon ends nothing
                edits[place] = b";"
    return edits


def is_word(node: Node) -> bool:
    """Say whether what the grammar takes for the descriptor of a redirection is a word before it: `head -5>out`."""
    text = node.text or b""
    return node.type == "file_descriptor" and not (text.isdigit() and len(text) <= MAX_DESCRIPTOR_DIGITS)


def no_program(word: str) -> bool:
    """Say whether what the grammar takes for a program is a word of the shell's own, or an assignment as `_=` is."""
    return word in RESERVED or _ASSIGNS.match(word) is not None


def leaves_out(node: Node, source: bytes) -> bool:
    """Say whether something but space lies between the children of a node, or no space where there must be some.

    A newline is space only where the shell goes on behind one.
    """
    children, kind = node.children, node.type
    worded = kind in _BEGINS_WITH_WORD and children[0].type != "((" and len(children) > 1
    if worded and children[0].end_byte == children[1].start_byte:
        return True
    if children[0].type in ("((", "$(("):
        inside = source[children[0].end_byte : children[-1].start_byte]
        if b"'" in inside or not _pairs(inside):  # quotes quote nothing there
            return True  # two subshells, if the inner one ends before
    at, assigned, number, file, word = node.start_byte, False, False, False, False
    declares = kind in ("declaration_command", "unset_command")
    single = kind == "test_command" and children[0].type == "["
    if single and _ends_within(node, source):
        return True
    line = kind in _OF_ONE_LINE or single
    joined = kind in _JOINED
    for child in children:
        touches, redirects = child.start_byte == at, child.type.endswith("_redirect")
        if kind == "command" and child.type == "regex":
            return True  # behind `==`, words and the blanks between them
        if touches and child.is_named and (assigned or ((file or (declares and word)) and not redirects)):
            return True  # two words that are one
        if touches and redirects and (number or _NAMES_DESCRIPTOR.search(source, node.start_byte, at)):
            return True  # it is of a descriptor
        assigned = child.type == "variable_assignment"
        word = child.is_named
        file = child.type in ("file_redirect", "herestring_redirect")
        number = _last(child).type == "number"
        start = child.start_byte
        if start > at:
            if kind == "variable_assignment":
                return True
            gap = _LINE_GAP if line or (joined and not child.is_named) else _GAP
            if not gap.match(source, at, start):
                return True
        line = line and child.type != "heredoc_redirect"
        joined = joined and not _has_document(child)
        at = max(at, child.end_byte)
    return kind == "program" and not _GAP.match(source, at, node.end_byte)


def _last(node: Node) -> Node:
    """Return the last word of a statement."""
    while node.type in ("command", "command_name", *_JOINED, "negated_command"):
        node = node.children[-1]
    return node


def _ends_within(test: Node, source: bytes) -> bool:
    """Say whether a test in single brackets holds what to the shell ends or redirects a command.

    The grammar reads `[ a&rm ]` by the rules of `[[ … ]]`, but `[` is a program: there, `rm ]` is the next one.
    """
    nodes = list(test.children)
    while nodes:
        node = nodes.pop()
        if node.type in _OPAQUE_WORDS:
            continue
        if node.child_count:
            nodes += node.children
            if any(
                _BARE_NEWLINE.search(source, before.end_byte, after.start_byte)
                for before, after in itertools.pairwise(node.children)
            ):
                return True
        elif (not node.is_named or node.type in _PATTERNS) and _OPERATOR.search(node.text or b""):
            return True
    return False


def _pairs(text: bytes) -> bool:
    """Say whether parentheses stand in pairs, quoted ones among them."""
    depth = 0
    for paren in re.findall(rb"[()]", text):
        depth += 1 if paren == b"(" else -1
        if depth < 0:
            return False
    return not depth


def _has_document(node: Node) -> bool:
    """Say whether a here-document begins in a part of a pipeline or list: its body lies before the next part."""
    return node.is_named and any(
        child.type == "heredoc_redirect"
        or (child.type in ("pipeline", "list", "redirected_statement") and _has_document(child))
        for child in node.children
    )
