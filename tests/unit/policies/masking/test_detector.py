"""Detectors keep their own promises: each finds its examples, and one that does not is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.masking import DETECTORS, Detector, DetectorFault, DetectorInvalid, Kind, choose
from policies.masking.compiled import Compiled, check_examples
from policies.masking.finder import Finder
from tests.unit.policies.masking.streams import masked


def _declared(**parts: object) -> Detector:
    detector = Detector(
        name="ticket",
        kind=Kind.SECRET,
        title="Ticket",
        pattern=r"\b(?P<v>TCK-[0-9]{6})\b",
        matches=("TCK-123456",),
    )
    return replace(detector, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda it: it.name)
def test_each_detector_finds_what_it_says_and_passes_over_what_it_must(detector: Detector) -> None:
    assert detector.matches
    assert detector.source
    check_examples(detector)
    for text in detector.matches:
        _, hits = masked(text.encode() + b"\n", names=[detector.name])
        assert hits, text
        assert {hit.detector for hit in hits} == {detector.name}
    for text in detector.misses:
        assert not masked(text.encode() + b"\n", names=[detector.name])[1], text


def test_names_are_unique() -> None:
    assert len({it.name for it in DETECTORS}) == len(DETECTORS)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"matches": ("TCK-12345",)}, "'TCK-12345' is not found"),
        ({"misses": ("TCK-654321",)}, "'TCK-654321' is found and must not be"),
        ({"pattern": "(TCK"}, "a group that does not end"),
        ({"pattern": "TCK-[0-9]{0,2000}"}, "invalid repetition size"),
        ({"pattern": "(?:TCK)*"}, "may match nothing"),
        ({"pattern": "(?=TCK)"}, "unexpected"),
    ],
)
def test_an_unsound_detector_is_refused_by_name_and_example(parts: dict[str, object], says: str) -> None:
    with pytest.raises(DetectorInvalid, match="detector ticket: ") as caught:
        check_examples(_declared(**parts))
    assert says in str(caught.value)


def test_a_detector_that_throws_ends_the_stream_and_names_itself_not_the_value() -> None:
    def throws(value: bytes) -> bool:
        raise ValueError(value)

    compiled = Compiled([_declared(check=throws)], {})
    with pytest.raises(DetectorFault, match="detector ticket failed: ValueError") as caught:
        Finder(compiled).find(b"TCK-123456\n")
    assert "123456" not in str(caught.value)


@pytest.mark.parametrize("detector", [it for it in DETECTORS if it.check], ids=lambda it: it.name)
@settings(
    max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.data())
def test_no_value_of_its_form_makes_a_detector_throw(detector: Detector, data: st.DataObject) -> None:
    pattern = detector.pattern
    form = f"(?i:{pattern[4:]})" if pattern.startswith("(?i)") else pattern
    text = data.draw(st.from_regex(f"(?m:{form})".encode()))
    masked(text + b"\n", names=[detector.name])


def test_choosing_by_kind_and_name() -> None:
    assert choose(["secrets"]).isdisjoint(choose(["personal"]))
    assert choose(None, ["email", "jwt"]) == {"email", "jwt"}
    assert "ip-address" not in choose()
    with pytest.raises(ValueError, match="no detector 'emial'"):
        choose(None, ["emial"])
    with pytest.raises(ValueError, match="no kind 'keys'"):
        choose(["keys"])
