"""Globs of patterns against words that are known in part: never less than may be, never more than is sure."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import Word
from policies.glob import MAX_WORD_PARTS, literal_glob, parse_glob
from policies.pattern import NO_STOPS, PATH_STOPS, Patterns, glob_mistake

TEXTS = ["".join(text) for length in range(6) for text in itertools.product("ab/", repeat=length)]


def path(*texts: str, folder: bool = False) -> Patterns:
    return Patterns(texts, PATH_STOPS, folder=folder)


def glob(text: str) -> Word:
    return Word(text, "glob")


def computed(text: str, prefix: str = "") -> Word:
    return Word(text, "computed", prefix)


def what_bash_finds(word: str) -> list[str]:
    """Return the short texts that the wildcards of a word may find, were there such files."""
    wanted = "".join({"*": "[^/]*", "?": "[^/]"}.get(character, re.escape(character)) for character in word)
    return [text for text in TEXTS if re.fullmatch(wanted, text)]


pieces = st.lists(st.sampled_from(["a", "b", "/", "*", "?", "**/", "/**"]), min_size=1, max_size=6).map(
    "".join
)


@given(pattern=pieces, word=st.text("ab/*?", min_size=1, max_size=5))
def test_l4_word_with_wildcards_is_never_less_than_it_may_be_and_never_surely_what_it_is_not(
    pattern: str, word: str
) -> None:
    patterns = path(f"glob:{pattern}")
    found = what_bash_finds(word)
    fitting = [text for text in found if patterns.has(text)]
    assert patterns.may_become(glob(word), option=True) or not fitting
    assert fitting == found or not patterns.surely(glob(word))


@given(
    globs=st.lists(pieces, min_size=1, max_size=12),
    text=st.text("ab/:\n\udcff", max_size=6),
    stops=st.sampled_from([PATH_STOPS, NO_STOPS]),
    folder=st.booleans(),
)
def test_pieces_of_text_say_what_the_expressions_say(
    globs: list[str], text: str, stops: str, folder: bool
) -> None:
    made = [parse_glob(glob, stops, folder=folder) for glob in globs]
    patterns = Patterns([f"glob:{glob}" for glob in globs], stops, folder=folder)
    assert patterns.has(text) is any(glob.meets(literal_glob(text)) for glob in made)


@given(
    globs=st.lists(st.text("ab/*?", min_size=1, max_size=4), min_size=1, max_size=5),
    word=st.builds(glob, st.text("ab/*?", min_size=1, max_size=4))
    | st.builds(
        lambda begin, end: computed(f"{begin}$x{end}", begin), st.text("ab/", max_size=2), st.text("ab/")
    ),
    guess=st.booleans(),
)
def test_patterns_together_say_what_each_of_them_says(globs: list[str], word: Word, guess: bool) -> None:
    texts = [f"glob:{text}" for text in globs] + [text for text in globs if not set(text) & set("*?")]
    together = path(*texts).may_become(word, guess=guess)
    assert together is any(path(text).may_become(word, guess=guess) for text in texts)


@pytest.mark.parametrize("word", ["[b-a]x", "[!z-a]x", "[a-\u4ef7]x"])
def test_l4_a_range_that_no_pattern_may_have_is_any_character_in_a_word(word: str) -> None:
    assert path("qx").may_become(glob(word))
    assert not path("q/x").may_become(glob(word))
    assert path("glob:**x").surely(glob(word))
    assert not path("glob:[!q]x").surely(glob(word))


@given(pattern=pieces, prefix=st.text("ab/", max_size=3))
def test_l4_computed_word_is_never_less_than_it_may_be(pattern: str, prefix: str) -> None:
    patterns = path(f"glob:{pattern}")
    fitting = any(patterns.has(text) for text in TEXTS if text.startswith(prefix))
    assert patterns.may_become(computed(f"{prefix}$x", prefix)) or not fitting


@given(first=st.text("ab/*?[]!-", max_size=8), text=st.text("ab/:-[]!\n\udcff", max_size=6))
def test_any_pattern_and_any_text_give_an_answer(first: str, text: str) -> None:
    if glob_mistake(f"glob:{first}") is not None:
        return
    patterns = path(f"glob:{first}", "exact")
    assert patterns.has(text) in (True, False)
    for word in (glob(text), computed(text, text[:2]), computed(text)):
        assert patterns.may_become(word, guess=True) or not patterns.surely(word)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("glob:/srv/*", "/srv/a", True),
        ("glob:/srv/*", "/srv/a/b", False),
        ("glob:/srv/*", "/srv/a:b", False),
        ("glob:/srv/?", "/srv//", False),
        ("glob:/srv/[!x]", "/srv//", False),
        ("glob:/srv/**", "/srv/a/b:c\nd", True),
        ("glob:/srv/**", "/srv", False),
        ("glob:**/id_rsa", "id_rsa", True),
        ("glob:**/id_rsa", "/x/y/id_rsa", True),
        ("glob:**/id_rsa", "my_id_rsa", False),
        ("glob:/srv/**/x", "/srv/x", True),
        ("glob:/srv/**/x", "/srv/a/b/x", True),
        ("glob:/srv/**/x", "/srvx", False),
        ("glob:a[]]b", "a]b", True),
        ("glob:[*]", "*", True),
        ("glob:[*]", "a", False),
        ("glob:[a-c]", "b", True),
        ("glob:x", "x\udcff", False),
    ],
)
def test_star_stops_at_slash_and_colon_and_two_do_not(pattern: str, text: str, expected: bool) -> None:
    assert path(pattern).has(text) is expected


def test_folder_that_is_denied_is_denied_itself() -> None:
    assert path("glob:/srv/**", folder=True).has("/srv")
    assert not path("glob:/srv/**", folder=True).has("/srvs")
    assert not path("glob:/**", folder=True).has("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a[b", "has a [ without its ]"),
        ("[]", "has a [ without its ]"),
        ("[z-a]", "has the range z-a in it"),
        ("[\u0001-\uffff]", "not far apart"),
        ("x{a,b}", "has {a,b} in it, expected a list of globs"),
    ],
)
def test_text_that_is_no_glob_says_why(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_glob(text, PATH_STOPS)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "word", "may", "sure"),
    [
        ("/etc/shadow", glob("/etc/shad?w"), True, False),
        ("/etc/shadow", glob("/etc/[a-s]hadow"), True, False),
        ("/etc/shadow", glob("/etc/[!s]hadow"), False, False),
        ("/etc/shadow", glob("/etc/[[:alpha:]]hadow"), True, False),
        ("/etc/shadow", glob("/etc/@(shadow|x)"), True, False),
        ("/etc/shadow", glob("/tmp/.*/etc/shadow"), True, False),
        ("/etc/shadow", glob("*"), False, False),
        ("glob:/srv/*.log", glob("/srv/*.log"), True, True),
        ("glob:/srv/**", glob("/srv/*/x"), True, True),
        ("glob:/srv/**", glob("/srv/.*/x"), True, False),
        ("glob:**/public/*", glob("a/public/*"), True, True),
        ("glob:**/public/*", glob("secret-public/*"), False, False),
        ("glob:*", glob("*"), True, False),
        ("glob:**", glob("*"), True, True),
        ("-rf", glob("-*"), True, False),
        ("-rf", glob("*"), False, False),
        ("glob:**", computed("$x"), True, True),
        ("glob:*", computed("$x"), True, False),
    ],
)
def test_word_that_is_not_literal(pattern: str, word: Word, may: bool, sure: bool) -> None:
    assert (path(pattern).may_become(word), path(pattern).surely(word)) == (may, sure)


def test_known_limit_wildcard_at_the_start_finds_an_option_only_if_asked() -> None:
    assert not path("--checkpoint").may_become(glob("*"))
    assert path("--checkpoint").may_become(glob("*"), option=True)


def test_t21_long_words_and_many_stars_are_no_work() -> None:
    patterns = Patterns(["glob:" + "**a" * 60 + "b", "glob:" + "*a" * 60 + "b"], NO_STOPS)
    assert not patterns.has("a" * 60_000)
    assert not path("glob:" + "*a" * 60 + "b").may_become(glob("*a" * 100 + "/"))
    assert path("glob:a**b").may_become(glob("a" + "?" * 60_000)), "beyond its first parts it may be anything"
    assert path("glob:a**").may_become(computed("$x", "a" * 10 * MAX_WORD_PARTS))
