"""Make random bash programs over marker programs: every construct, nested, and written in odd ways.

In      a Random; how deep to nest
Out     the text of a program; each program that it may run has a name of its own, so that one that is missed is known
Source  bash(1), SHELL GRAMMAR, EXPANSION, REDIRECTION
"""

from __future__ import annotations

from tests.oracle.choices import ENDS
from tests.oracle.odd import ODD
from tests.oracle.phrases import Phrases


class Programs(Phrases):
    """Makes programs."""

    def program(self) -> str:
        """Return one program, of one to four lines that may go on over several."""
        return "".join(
            self._command_line() + self._random.choice(("\n", "\n", "; ", "\n\n"))
            for _ in range(self._random.choice((1, 1, 1, 2, 2, 3, 4)))
        )

    # Lists and pipelines.

    def _command_line(self) -> str:
        made = self._list()
        return made + self._bodies()

    def _bodies(self) -> str:
        if not self._heredocs:
            return ""
        made = "\n" + "\n".join(self._heredocs)
        self._heredocs = []
        return made

    def _list(self) -> str:
        made = self._pipeline()
        while self._random.random() < 0.25:
            if self._heredocs:
                made += self._bodies() + "\n" + self._pipeline()
                continue
            join = self._of("&&", "&&", "||", "||", ";", ";", "&", "\n")
            space = self._of(" ", " ", "", "\n" if join in ("&&", "||") else " ")
            if not self._is_odd():
                made += f" {join} {self._pipeline()}" if join != "\n" else f"\n{self._pipeline()}"
                continue
            made += self._of(" ", "") + join + space + self._pipeline()
        return made

    def _pipeline(self) -> str:
        made = self._command()
        while self._random.random() < 0.15:
            if self._heredocs:
                break
            if not self._is_odd():
                made += f" | {self._command()}"
                continue
            made += (
                self._of(" ", "")
                + self._of("|", "|", "|", "|&")
                + self._of(" ", "", " ", "\n")
                + self._command()
            )
        if self._random.random() < 0.05:
            made = self._of("! ", "! ", "time ", "time -p ", "! ! ", "time ! ", "!\t") + made
        return made

    def _command(self) -> str:
        if self._depth <= 0 or self._random.random() < 0.6:
            return self._simple()
        self._depth -= 1
        try:
            made = self._pick(
                (6, self._wrapped),
                (3, self._group),
                (3, self._subshell),
                (3, self._if),
                (3, self._loop),
                (3, self._case),
                (2, self._function),
                (2, self._test),
                (1, self._arithmetic if self._is_odd() else self._group),
                (1, self._coprocess if self._is_odd() else self._wrapped),
                (1, self._odd if self._is_odd() else self._loop),
            )
            if self._random.random() < 0.1:
                made += " " + self._redirection()
            return made
        finally:
            self._depth += 1

    def _body(self) -> str:
        """Return what stands in a compound command, with its last separator."""
        made = ""
        for _ in range(self._of(1, 1, 1, 2, 3)):
            made += self._list()
            ends = ENDS if self._is_odd() else ("; ", "\n")
            made += self._bodies() + "\n" if self._heredocs else self._random.choice(ends)
        return made

    def _lead(self) -> str:
        if not self._is_odd():
            return self._of(" ", "\n")
        return self._of(" ", " ", "\n", "\n\t", " \\\n", "\t", " # x\n")

    def _group(self) -> str:
        return "{" + self._lead() + self._body() + "}"

    def _subshell(self) -> str:
        return "(" + self._of("", " ", "\n") + self._body_or_list() + ")"

    def _body_or_list(self) -> str:
        made = self._body() if self._random.random() < 0.4 else self._list()
        return made + (self._bodies() + "\n" if self._heredocs else "")

    def _if(self) -> str:
        made = f"if{self._lead()}{self._body()}then{self._lead()}{self._body()}"
        while self._random.random() < 0.2:
            made += f"elif{self._lead()}{self._body()}then{self._lead()}{self._body()}"
        if self._random.random() < 0.3:
            made += f"else{self._lead()}{self._body()}"
        return made + "fi"

    def _loop(self) -> str:
        if not self._is_odd():
            head = self._of(
                f"for x in {self._word()} {self._word()}",
                "for x in a b",
                f"while {self._simple()}",
                f"until {self._simple()}",
            )
            return f"{head}; do{self._lead()}{self._body()}break; done"
        end = f"do{self._lead()}{self._body()}break{self._of(';', chr(10), ' ;')}done"
        kind = self._random.randrange(6)
        if kind == 0:
            return f"while{self._lead()}{self._body()}{end}"
        if kind == 1:
            return f"until{self._lead()}{self._body()}{end}"
        if kind == 2:
            head = self._of(
                "((i=0; i<1; i++))", f"((i={self._substitution()}0;;))", "(( i = 0 ; i < 2 ; i ++ ))"
            )
            return f"for {head}{self._of(';', ' ;', chr(10))} {end}"
        if kind == 3:
            return f"select y in {self._words(2)}{self._of(';', chr(10))}{end}"
        if kind == 4:
            return f"for x{self._of('', ' in ' + self._words(2))}{self._of(';', chr(10), '; ')}{end}"
        return f"for x in{self._space()}{self._words(2)}\n{{ {self._body()}break; }}"

    def _case(self) -> str:
        made = f"case {self._word()} in{self._lead()}"
        for _ in range(self._of(1, 2, 3)):
            pattern = self._of("a", "*", "a|b", "[ab]*", '"x y"', "?)b"[:1], "*", "$x", self._word(), "a | *")
            pattern = (
                pattern.replace("(", "").replace(")", "")
                if "$" not in pattern and "`" not in pattern
                else pattern
            )
            inside = self._body_or_list() if self._random.random() < 0.9 else ""
            if not self._is_odd():
                made += f"{self._of('a', '*', 'a|b', '[ab]*')}) {inside or ':'};; "
                continue
            made += f"{self._of('', '(', '( ')}{pattern}{self._of(')', ' )', ') ')}{self._of(' ', '', chr(10))}{inside}"
            made += self._of(";;", " ;;", "\n;;\n", ";;\n", ";& ", ";;& ") + self._of(" ", "\n")
        return made + "esac"

    def _function(self) -> str:
        name = f"f{self._mark()}"
        self._functions.append(name)
        body = self._pick((3, self._group), (1, self._subshell), (1, self._if), (1, self._test))
        if not self._is_odd():
            return f"{name}() {self._group()}; {name}{self._of('', ' a')}"
        head = self._of(
            f"{name}()", f"{name} () ", f"function {name} ", f"function {name}()\n", f"{name}( )\n"
        )
        return (
            head
            + self._of(" ", "\n" if "()" in head else " ")
            + body
            + self._of("; ", "\n")
            + name
            + self._of("", " a")
        )

    def _test(self) -> str:
        return self._pick(
            (2, lambda: f"[[ {self._word()} == {self._word()} ]]"),
            (1, lambda: f"[[ -n {self._word()} && ! {self._word()} < {self._word()} ]]"),
            (1, lambda: f"[[ ( {self._word()} =~ ^a(b|c)*$ ) || -z $x ]]"),
            (1, lambda: f"[[ x =~ {self._substitution()} ]]"),
            (1, lambda: f"[[ x == @(a|{self._substitution()}) ]]"),
            (2, lambda: f"[ {self._word()} = {self._word()} ]"),
            (1, lambda: f"test {self._word()} -a {self._word()}"),
        )

    def _arithmetic(self) -> str:
        return f"(({self._of('', ' ')}{self._sum()}{self._of('', ' ')}))"

    def _sum(self) -> str:
        return self._pick(
            (
                2,
                lambda: self._of(
                    "1+2", "x++", "x = 3", "1<2", "x<<1", "a[0]=1", "x?1:2", "(1)", "1 # 2", "16#ff"
                ),
            ),
            (2, lambda: f"1 + {self._substitution()}0"),
            (1, lambda: f"a[{self._substitution()}0]"),
            (1, lambda: f"${{x:-{self._substitution()}}} 1"[:-2]),
            (1, lambda: f"({self._sum()}) * {self._of('2', '$y', '$((3))')}"),
        )

    def _coprocess(self) -> str:
        return self._pick(
            (1, lambda: f"coproc {self._simple()}"),
            (1, lambda: f"coproc {self._group()}"),
            (1, lambda: f"coproc NAME {self._group()}"),
            (1, lambda: f"coproc {self._if()}"),
        )

    def _wrapped(self) -> str:
        script = self._of(self._list_alone, self._list_alone, self._script)()
        single = "'" + script.replace("'", "'\\''") + "'"
        plain = self._name() + " " + self._words(2)
        return self._of(
            f"sudo {plain}",
            f"sudo -n {plain}",
            f"sudo -u x {plain}",
            f"env {plain}",
            f"env A=b {plain}",
            f"env -i A={self._word()} {plain}",
            f"timeout 5 {plain}",
            f"nohup {plain}",
            f"setsid {plain}",
            f"nice -n 5 {plain}",
            f"command {plain}",
            f"exec {plain}",
            f"xargs {plain}",
            f"xargs -n1 {plain}",
            f"find . -exec {plain} \\;",
            f"find . -exec {plain} {{}} +",
            f"find . -exec {plain} ';'",
            f"sh -c {single}",
            f"sh -c {single}",
            f"sh -c {self._double(script)}",
            f"bash -c {single} a b",
            f"eval {single}",
            f"eval {self._double(script)}",
            f"eval {plain}",
            f"sudo sh -c {single}",
            f"sudo env sh -c {single}",
            f"env A=b sudo timeout 5 {plain}",
            f"ssh host {single}",
            f"ssh host {plain}",
            f"sh <<'Q'\n{script}\nQ\n",
            f"sh <<< {single}",
            f"echo {single} | sh",
            f"printf '%s' {single} | bash",
            f"trap {single} EXIT",
            f"trap -- {single} INT ERR DEBUG EXIT",
        )

    def _list_alone(self) -> str:
        """Return a list without here-documents of its own."""
        kept, self._heredocs = self._heredocs, []
        depth, self._depth = self._depth, min(self._depth, 1)
        try:
            made = self._list()
            return made + self._bodies()
        finally:
            self._heredocs, self._depth = kept, depth

    def _script(self) -> str:
        return self._list_alone() + self._of("; ", "\n", "\n\n") + self._list_alone()

    def _double(self, script: str) -> str:
        for char in '\\"$`':
            script = script.replace(char, "\\" + char)
        return f'"{script}"'

    def _odd(self) -> str:
        """Return one of the less known ways to run something."""
        made = self._random.choice(ODD)
        while "MARK" in made:
            made = made.replace("MARK", self._name(), self._random.choice((1, 1, -1)))
        return made.replace("M\\\nARK", "m\\\n" + str(self._mark()))
