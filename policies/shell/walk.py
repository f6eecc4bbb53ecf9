"""Find what a shell statement would run, and what it touches, by walking its tree.

In      the source of a statement; how deep it is nested in others
Out     Findings, which `facts` turns into Facts
Holds   MAX_NESTING of its tree, MAX_SCRIPTS of scripts in it
Source  bash(1), SHELL GRAMMAR, REDIRECTION; POSIX.1-2017 XCU section 2
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from policies.facts import Flag, Word
from policies.shell import latent
from policies.shell.definitions import assigned, defined, is_grave
from policies.shell.findings import Findings, TooMuch
from policies.shell.grammar import BRANCHES, LOOSE, Node, leaves_out, no_program, parsed
from policies.shell.meaning import Programs, Stdin
from policies.shell.redirection import (
    OF_HEREDOC,
    copies_input,
    heredoc_text,
    hides_substitution,
    is_of_input,
    is_quoted,
    operators,
    read_on,
    starts_at,
    words_behind,
)
from policies.shell.words import Words

MAX_NESTING = 100  # of nodes in a tree
MAX_SCRIPTS = 12  # of scripts in scripts
_SUBSTITUTES = re.compile(rb"(?<!\\)(?:\\\\)*[`]|[$<>]\(")


class Walk:
    """Walks the tree of one script; `programs` says what a command means by its words."""

    def __init__(self, findings: Findings, programs: Programs, parent: int | None, depth: int) -> None:
        self.findings = findings
        self._programs = programs
        self._parent = parent
        self._depth = depth
        self._source = b""
        self._words = Words(b"", findings.known)
        self._conditional = 0
        self._both_ways = False  # `>|` in the tree stands for `<>`

    def script(self, source: bytes, stdin: Stdin) -> bool:
        """Walk a script; false if it does not parse."""
        self._both_ways = b">|" not in source
        root, source = parsed(source)
        if root is None or (source[: root.start_byte] + source[root.end_byte :]).strip(b" \t\n"):
            return False
        self._source = source
        self._words = Words(source, self.findings.known)
        latent.prompts(self.findings, source)
        self._visit(root, stdin, 0)
        return True

    def _visit(self, node: Node, stdin: Stdin, level: int) -> None:
        if level > MAX_NESTING:
            raise TooMuch(f"nested deeper than {MAX_NESTING}")
        kind = node.type
        if node.child_count and kind not in LOOSE and leaves_out(node, self._source):
            raise TooMuch("a part of it is in no part of the tree")
        visit = getattr(self, f"_visit_{kind}", None)
        if visit is not None:
            visit(node, stdin, level + 1)
            return
        plain = ""
        if kind == "for_statement":
            if node.children[0].type == "select" and stdin == "channel":
                self.findings.flag(Flag.READS_STDIN, "select takes its answers from the input that follows")
            values = self._each(node.children_by_field_name("value"))
            latent.values(self.findings, self._words, values)
            plain = self._words.looped(node, values)
        branch = kind in BRANCHES
        self._conditional += branch
        place = (self.findings.cwd, self.findings.sure_of_cwd)
        for child in node.children:
            if child.child_count or child.type in ("heredoc_body",):
                self._visit(child, stdin, level + 1)
            elif child.type == "&":
                self.findings.flag(Flag.BACKGROUND, "goes on in the background")
            elif child.type in ("||", ";", "\n"):
                self._unsure()
            else:
                self._inside(child, stdin, level)
        self._conditional -= branch
        self._words.plain.discard(plain)
        if kind in ("subshell", "command_substitution", "process_substitution"):
            self.findings.cwd, self.findings.sure_of_cwd = place

    def _unsure(self) -> None:
        """What follows runs whether the `cd` before it worked or not."""
        if self.findings.cwd:
            self.findings.sure_of_cwd = False

    # Structure.

    def _visit_list(self, node: Node, stdin: Stdin, level: int, redirects: Sequence[Node] = ()) -> None:
        for child in node.children:
            if child.is_named:
                self._redirected_by(redirects if child == node.children[-1] else (), child, stdin, level)
            elif child.type == "||":
                self._unsure()
            elif child.type == "&":
                self.findings.flag(Flag.BACKGROUND, "goes on in the background")

    def _visit_pipeline(self, node: Node, stdin: Stdin, level: int, redirects: Sequence[Node] = ()) -> None:
        place = (self.findings.cwd, self.findings.sure_of_cwd)
        self._pipe([child for child in node.children if child.is_named], stdin, level, redirects=redirects)
        self.findings.cwd, self.findings.sure_of_cwd = place

    def _pipe(
        self,
        parts: Sequence[Node],
        stdin: Stdin,
        level: int,
        *,
        fed: str | None = None,
        redirects: Sequence[Node] = (),
    ) -> None:
        for part in parts:
            before = len(self.findings.commands)
            self._programs.fed = fed
            self._redirected_by(redirects if part == parts[-1] else (), part, stdin, level)
            stdin = "pipe"
            fed = self._programs.said(self.findings.commands[before:])
        self._programs.fed = None

    def _visit_redirected_statement(self, node: Node, stdin: Stdin, level: int) -> None:
        body, self._programs.file = node.child_by_field_name("body"), None
        redirects = [child for child in node.children if child.type.endswith("_redirect")]
        before = len(self.findings.commands)
        self._redirected_by(redirects, body, stdin, level)
        for redirect in redirects:
            self._redirect(redirect, level)
        self._programs.fed = None
        by = before if len(self.findings.commands) > before else None
        for redirect in redirects:
            self._after_heredoc(redirect, level, by)

    def _redirected_by(self, redirects: Sequence[Node], body: Node | None, stdin: Stdin, level: int) -> None:
        """Walk what is redirected: the last command of a pipeline or list, where it is one."""
        more = words_behind(redirects)
        inner = body is not None and body.child_count and body.type not in LOOSE
        if body is not None and inner and leaves_out(body, self._source):
            raise TooMuch("a part of it is in no part of the tree")
        if body is not None and redirects and body.type == "list":
            self._visit_list(body, stdin, level, redirects)
            return
        if body is not None and redirects and body.type == "pipeline":
            self._visit_pipeline(body, stdin, level, redirects)
            return
        if body is not None and redirects and body.type == "negated_command":
            self._redirected_by(redirects, body.children[-1], stdin, level)
            return
        if redirects:
            fed = self._programs.fed
            stdin = self._redirected(redirects, stdin)
            if stdin != "text":
                self._programs.fed = fed
        place = len(self.findings.commands)
        if body is not None and body.type == "command":
            self._simple(body, stdin, level, more)
        elif more:
            raise TooMuch("words behind a redirection that belong to no command")
        elif body is not None:
            self._visit(body, stdin, level)
        found = self.findings.commands[place : place + 1]
        if redirects and found and len(found[0].words) == 1 and self._name(place) == "exec":
            self.findings.flag(Flag.SWITCHES_INPUT, "exec changes where the shell reads and writes", place)

    def _after_heredoc(self, redirect: Node, level: int, by: int | None) -> None:
        """Walk the rest of the line that a here-document begins on."""
        if redirect.type != "heredoc_redirect":
            return
        for child in redirect.children:
            if child.type == "pipeline":
                said = self._programs.said(self.findings.commands[by:]) if by is not None else None
                self._pipe([part for part in child.children if part.is_named], "pipe", level, fed=said)
            elif child.is_named and child.type not in OF_HEREDOC:
                self._unsure()
                self._visit(child, "channel", level)

    def _visit_function_definition(self, node: Node, stdin: Stdin, level: int) -> None:
        name = node.child_by_field_name("name")
        self.findings.define(self._words.text(name) if name is not None else "?", None)
        self._conditional += 1
        for child in node.children:
            if child.is_named and child != name:
                self._visit(child, stdin, level)
        self._conditional -= 1

    # Commands.

    def _visit_command(self, node: Node, stdin: Stdin, level: int) -> None:
        self._simple(node, stdin, level, [])

    def _simple(self, node: Node, stdin: Stdin, level: int, more: Sequence[Node]) -> None:
        groups: list[list[Node]] = []
        assigned: list[Node] = []
        redirects = [child for child in node.children if child.type.endswith("_redirect")]
        behind = words_behind(redirects)
        children = sorted([*node.children, *behind], key=starts_at) if behind else node.children
        for child in (*children, *more):
            if child.type == "variable_assignment":
                assigned.append(child)
            elif child.type.endswith("_redirect"):
                continue
            elif groups and child.start_byte == groups[-1][-1].end_byte:
                groups[-1].append(child)
            else:
                groups.append([child])
        inner = self._redirected(redirects, stdin) if redirects else stdin
        if groups and no_program(self._words.text(groups[0][0])):
            raise TooMuch("a word of the shell's own where a program should be")
        words = [word for group in groups for word in self._words.of(group)]
        for child in assigned:
            self._assign(child, level, lasting=not words)
        if words:
            self.run(words, inner)
        for group in groups:
            if len(group) > 1 or self._words.plainly(group[0]) is None:
                for child in group:
                    self._inside(child, stdin, level)
        for redirect in redirects:
            self._redirect(redirect, level)

    def run(self, words: list[Word], stdin: Stdin) -> None:
        place = self.findings.add(words, self._parent)
        latent.words(self.findings, self._words, self._name(place), words[1:], place)
        self._programs.understand(self, place, words, stdin)

    def _name(self, place: int) -> str:
        return self.findings.commands[place].words[0].text.rpartition("/")[2]

    def _visit_declaration_command(self, node: Node, stdin: Stdin, level: int) -> None:
        words = [Word(self._words.text(node.children[0]))]
        for child in node.children[1:]:
            if child.type == "variable_assignment":
                words.append(self._words.assigned(child, self._assign(child, level, lasting=True)))
            elif child.type.endswith("_redirect"):
                self._redirect(child, level)
            else:
                words += self._words.of([child])
                self._inside(child, stdin, level)
        place = self.findings.add(words, self._parent)
        latent.words(self.findings, self._words, words[0].text, words[1:], place)
        for word in words[1:]:
            if is_grave(word.text.partition("=")[0]) and "=" in word.text:
                self.findings.define(word.text.partition("=")[0], place)
            if word.form == "computed" and not re.match(r"[A-Za-z_][A-Za-z0-9_]*\+?=", word.text):
                self.findings.flag(Flag.OPAQUE, f"what {words[0].text} defines is computed", place)

    def _visit_unset_command(self, node: Node, stdin: Stdin, level: int) -> None:
        words = [Word("unset"), *self._each(node.children[1:])]
        place = self.findings.add(words, self._parent)
        latent.words(self.findings, self._words, "unset", words[1:], place)
        for name in defined(words):
            self.findings.define(name, place)
        for child in node.children:
            self._inside(child, stdin, level)

    def _visit_test_command(self, node: Node, stdin: Stdin, level: int) -> None:
        latent.written(self.findings, self._words.text(node))
        if node.children[0].type == "[":
            self.findings.add([Word("["), Word(self._words.text(node)[1:].strip(), "computed")], self._parent)
        for child in node.children:
            if child.child_count:
                self._visit(child, stdin, level)

    def _each(self, nodes: Sequence[Node]) -> list[Word]:
        return [word for node in nodes for word in self._words.of([node])]

    def _visit_variable_assignment(self, node: Node, _stdin: Stdin, level: int) -> None:
        self._assign(node, level, lasting=True)

    def _assign(self, node: Node, level: int, *, lasting: bool) -> Sequence[Word]:
        """Take an assignment; return its value, as one word where it is one."""
        if leaves_out(node, self._source):
            raise TooMuch("what the grammar takes for an assignment is none: there is a gap in it")
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        text = assigned(self._words.text(name) if name is not None else "")
        if is_grave(text):
            self.findings.define(text)
        array = value is not None and value.type == "array"
        nodes = value.children[1:-1] if value is not None and array else [value] if value is not None else []
        words = self._each(nodes) or [Word("")]
        latent.values(self.findings, self._words, words)
        adds = any(child.type == "+=" for child in node.children)
        plain = len(words) == 1 and words[0].literal and not adds and not array
        if lasting and plain and not self._conditional:
            self.findings.known[text] = words[0].text
        else:
            self.findings.known.pop(text, None)
        for child in node.children:
            self._inside(child, "channel", level)
        return () if array else words

    def _inside(self, node: Node, stdin: Stdin, level: int) -> None:
        """Walk what a word holds: substitutions."""
        if node.child_count:
            self._visit(node, stdin, level)
        elif node.type in ("word", "regex", "extglob_pattern") and _SUBSTITUTES.search(
            self._source[node.start_byte : node.end_byte]
        ):
            self.findings.flag(Flag.OPAQUE, "a substitution that is not understood")

    # Redirections.

    def _redirected(self, redirects: Sequence[Node], stdin: Stdin) -> Stdin:
        """Return where a command reads from, given its redirections; literal text goes to `programs.fed`."""
        for at, redirect in enumerate(redirects):
            if redirect.type == "file_redirect":
                found = operators(redirect, self._source, both_ways=self._both_ways)
                if is_of_input(redirects, at, found):
                    stdin = stdin if copies_input(redirect) else "file"  # it may copy what is read already
                    self._programs.file = read_on(redirect, self._words, copies=bool(found & {"<&", ">&"}))
            elif redirect.type == "herestring_redirect":
                text, stdin = self._words.of(redirect.children[-1:]), "text"
                self._programs.fed = text[0].text if len(text) == 1 and text[0].form != "computed" else None
            elif redirect.type == "heredoc_redirect":
                self._programs.fed = heredoc_text(redirect, self._source)
                inner = [part for part in redirect.children if part.type == "file_redirect"]
                of_file = any(child.type == "<" for part in inner for child in part.children)
                stdin = "file" if of_file else "text"
        return stdin

    def _redirect(self, redirect: Node, level: int) -> None:
        if redirect.type != "file_redirect":
            for child in redirect.children:
                if child.type == "file_redirect":
                    self._redirect(child, level)
                elif child.type == "heredoc_body":
                    self._heredoc_body(redirect, child, level)
                elif redirect.type == "herestring_redirect":
                    self._inside(child, "file", level)
            return
        found = operators(redirect, self._source, both_ways=self._both_ways)
        places = [child for child in redirect.children if child.is_named and child.type != "file_descriptor"]
        for place in places[:1]:  # what is behind it are words of the command
            self._inside(place, "file", level)
        for word in self._words.of(places[:1]) if places else ():
            if found & {">&", "<&"} and (re.fullmatch(r"\d+-?|-", word.text)):
                continue
            if found & {">&", "<&"} and re.search(r"[$`]", word.text):  # bash expands that word twice
                self.findings.flag(Flag.OPAQUE, "a file whose name is expanded twice")
            if found & {"<", "<>"}:
                self.findings.read(word)
            if found & {">", ">>", ">|", "&>", "&>>", "<>", ">&"}:
                self.findings.write(word)

    def _visit_file_redirect(self, node: Node, stdin: Stdin, level: int) -> None:  # of `$(<file)`, alone
        self._redirected_by([node], None, stdin, level)
        self._redirect(node, level)

    def _heredoc_body(self, redirect: Node, body: Node, level: int) -> None:
        if is_quoted(redirect, self._source):
            return
        for child in body.children:
            if child.child_count:
                self._visit(child, "channel", level)
        if hides_substitution(body, self._source):
            self.findings.flag(Flag.OPAQUE, "a substitution in a here-document that is not understood")

    # What programs ask for.

    def nested(self, script: str, parent: int, stdin: Stdin = "channel", reads: str | None = None) -> None:
        """Walk a script that a command hands to a shell; `reads` is the text on its stdin, if that is known."""
        findings = self.findings
        if self._depth >= MAX_SCRIPTS:
            raise TooMuch(f"scripts in scripts, more than {MAX_SCRIPTS}")
        walk = Walk(findings, self._programs, parent, self._depth + 1)
        fed, self._programs.fed = self._programs.fed, reads
        place = (findings.cwd, findings.sure_of_cwd)
        source = script.encode("utf-8", "surrogateescape")
        findings.scripts.append((parent, source))
        if b"\0" in source or not walk.script(source, stdin):
            findings.flag(Flag.UNPARSED, "a script inside it is not understood", parent)
        findings.cwd, findings.sure_of_cwd = place
        self._programs.fed = fed

    def starts(self, words: Sequence[Word], parent: int, stdin: Stdin) -> None:
        """Add the command that another one starts."""
        if self._depth >= MAX_SCRIPTS:
            raise TooMuch(f"commands that start commands, more than {MAX_SCRIPTS}")
        place = self.findings.add(words, parent)
        self._depth += 1
        self._programs.understand(self, place, list(words), stdin)
        self._depth -= 1
