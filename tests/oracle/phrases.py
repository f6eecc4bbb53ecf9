"""Make simple commands at random: words, quotes, expansions, redirections.

Source  bash(1), QUOTING, EXPANSION, REDIRECTION
"""

from __future__ import annotations

from tests.oracle.choices import (
    BUILTINS,
    CALM_PLAIN,
    CALM_TEXTS,
    ESCAPES,
    PATTERNS,
    PLAIN,
    QUOTED,
    TEXTS,
    Choices,
)


class Phrases(Choices):
    """Makes what stands between the separators of a program."""

    def _simple(self) -> str:
        made = ""
        while self._random.random() < 0.08:
            made += (
                f"{self._of('x', 'y', 'A_1')}{self._of('=', '=', '+=')}{self._of('', self._word(), '(a b)')} "
            )
        if self._random.random() < 0.05:
            made += self._redirection() + " "
        made += self._program()
        for _ in range(self._of(0, 0, 1, 1, 1, 2, 2, 3)):
            made += self._space() + (self._redirection() if self._random.random() < 0.08 else self._word())
        return made

    def _program(self) -> str:
        if self._random.random() < (0.1 if self._calm else 0.2):
            if self._calm:
                return self._of(*BUILTINS, "export A=b", "cd", "[ a ]")
            return self._of(
                *BUILTINS, ":", "echo", "x=1", "let x=1", "export A=b", "cd", "set --", "shift", "[ a ]"
            )
        if self._functions and self._random.random() < 0.1:
            return self._of(*self._functions)
        name = self._name()
        if not self._is_odd():
            return name
        return self._of(
            *[name] * 14,
            f'"{name}"',
            f"'{name}'",
            f"{name[:1]}''{name[1:]}",
            f'{name[:1]}"{name[1:]}"',
            f"\\{name}",
            f"{name[:1]}\\{name[1:]}",
            f"$'{name}'",
            f"{name}${{none}}",
            f"{name[:1]}\\\n{name[1:]}",
            f"{name}$none$none",
            f"$'\\x6d'{name[1:]}",
        )

    def _words(self, most: int) -> str:
        return self._space().join(self._word() for _ in range(self._random.randrange(most + 1)))

    def _word(self) -> str:
        made = self._piece()
        while self._random.random() < (0.03 if self._calm else 0.12):
            made += self._piece()
        return made

    def _piece(self) -> str:
        if not self._is_odd():
            return self._pick(
                (14, lambda: self._of(*CALM_PLAIN)),
                (2, lambda: f"'{self._of(*CALM_TEXTS)}'"),
                (2, self._quoted),
                (3, self._substitution),
                (1, self._parameter),
            )
        return self._pick(
            (10, lambda: self._of(*PLAIN)),
            (3, lambda: f"'{self._text()}'"),
            (3, self._quoted),
            (4, self._substitution),
            (2, self._parameter),
            (1, lambda: f"$(({self._sum()}))"),
            (1, lambda: self._of(*ESCAPES)),
            (1, lambda: self._of(*QUOTED)),
            (1, lambda: self._of(*PATTERNS)),
        )

    def _text(self) -> str:
        return self._of(*TEXTS)

    def _quoted(self) -> str:
        parts = []
        for _ in range(self._of(1, 1, 2, 3)):
            parts.append(
                self._pick(
                    (
                        4,
                        lambda: (
                            self._of("a", " ", ";", "'", "b c", "\\$", "&")
                            if not self._is_odd()
                            else self._of(
                                "a",
                                " ",
                                ";",
                                "'",
                                "#",
                                "(",
                                ")",
                                "\\$",
                                "\\\\",
                                '\\"',
                                "\\`",
                                "\n",
                                "\\\n",
                                "&",
                                "{",
                                "\\a",
                                "!",
                                "é",
                            )
                        ),
                    ),
                    (2, self._substitution),
                    (2, self._parameter),
                    (1, lambda: f"$(({self._sum()}))"),
                )
            )
        return '"' + "".join(parts) + '"'

    def _parameter(self) -> str:
        if self._depth <= 0 or self._random.random() < (0.8 if self._calm else 0.5):
            if not self._is_odd():
                return self._of("$x", "${x}", "$1", "$@", "$?", "${#x}")
            return self._of(
                "$x",
                "${x}",
                "$1",
                "$@",
                "$?",
                "${#x}",
                "$$",
                "$#",
                "${!x}",
                "$-",
                "${x[0]}",
                "$_",
                "${x^^}",
                "$",
                "$%",
            )
        self._depth -= 1
        try:
            word = self._of(self._word, self._substitution, self._quoted)()
            return self._of(
                f"${{x:-{word}}}",
                f"${{x:={word}}}",
                f"${{x:+{word}}}",
                f"${{x-{word}}}",
                f"${{x+{word}}}",
                f"${{x#{word}}}",
                f"${{x%%{word}}}",
                f"${{x/a/{word}}}",
                f"${{x//{word}/b}}",
                f"${{x:{self._substitution()}1}}",
                f"${{x[{self._substitution()}0]}}",
                f"${{@:-{word}}}",
                f"${{x,,{word}}}",
            )
        finally:
            self._depth += 1

    def _substitution(self) -> str:
        if self._depth <= 0:
            if not self._is_odd():
                return f"$({self._name()} {self._of('a', '$x')})"
            return self._of("$x", "a", f"$({self._name()})", f"`{self._name()} b`", f"$( {self._name()} )")
        self._depth -= 1
        kept, self._heredocs = self._heredocs, []
        try:
            inner = self._body_or_list()
            lead = " " if inner.startswith("(") else self._of("", "", " ", "\n", "\t")
            kind = self._random.random()
            if not self._is_odd():
                return f"$({' ' if inner.startswith('(') else ''}{inner})"
            if kind < 0.7:
                return f"$({lead}{inner}{self._of('', ' ', chr(10))})"
            if kind < 0.85:
                escaped = inner.replace("\\", "\\\\").replace("`", "\\`").replace("$", self._of("$", "\\$"))
                return f"`{escaped}`"
            return f"{self._of('<', '>', '<')}({inner})"
        finally:
            self._heredocs = kept
            self._depth += 1

    def _redirection(self) -> str:
        if not self._is_odd():
            if self._random.random() < 0.2 and not self._heredocs:
                mark = self._of("E", "'E'", "EOF")
                line = self._of("x", "$x", f"$({self._name()})", "a b")
                self._heredocs.append(line + "\n" + mark.strip("'"))
                return f"<<{mark}"
            return self._of(
                "> out",
                ">> out",
                "< in",
                "2>&1",
                "2> out",
                "&> out",
                f"<<< {self._of(*CALM_PLAIN)}",
                "> $x",
                '> "$x"',
            )
        fd = self._of("", "", "", "2", "1", "3", "{fd}")
        kind = self._random.random()
        if kind < 0.5:
            return (
                fd
                + self._of(">", ">>", ">|", "<", "<>")
                + self._of("", " ")
                + self._of("out", "in", self._word())
            )
        if kind < 0.6:
            return self._of("2>&1", ">&2", "<&0", "2>&-", "&>out", "&>>out", ">&out", "1<&-", "3<>out")
        if kind < 0.7:
            return self._of("<", ">") + " " + self._of("<(", ">(") + self._simple_plain() + ")"
        if kind < 0.8:
            return f"<<<{self._of('', ' ')}{self._word()}"
        mark = self._of("E", "EOF", "'E'", '"EOF"', "\\E", "-E", "- 'E'", " E", "E_1", "'a b'", "E-2")
        tag = mark.lstrip("- ").replace("\\", "").strip("'\"")
        lines = [
            self._of(
                "x", "", "$x", "a 'b", 'a "b', "(", "`" if "'" in mark else "a`", "\\", "\t", " E", "#", "E x"
            )
            if self._random.random() < 0.5
            else self._of(self._substitution, self._quoted, self._parameter)()
            for _ in range(self._of(0, 1, 2))
        ]
        if "`" in "".join(lines) and "".join(lines).count("`") % 2 and not {"'", '"', "\\"} & set(mark):
            lines = ["x"]
        tabs = "\t" if mark.startswith("-") and self._random.random() < 0.5 else ""
        self._heredocs.append("\n".join([*lines, tabs + tag]))
        return f"<<{mark}"

    def _simple_plain(self) -> str:
        return self._name() + " " + self._of("a", "'b c'")
