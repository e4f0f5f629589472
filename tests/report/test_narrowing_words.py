"""The answer in words: never more than is known."""

import re

import pytest

from lamella.records import RegisteredBone, Similarity
from lamella.report import narrowing_words
from lamella.report.narrowing_words import Detectable, cells, headline, measures, visit_name
from narrowings import compared

NONE = Detectable(mm=None, words="")


def said(found, detectable=NONE):
    return headline(found, None, detectable)


def test_narrower_with_its_interval():
    answer = said(compared(0.5, 0.05))
    assert (answer.text, answer.kind) == ("0.50 mm narrower", "narrower")
    assert answer.detail == "90 % interval 0.42 to 0.58"


def test_wider_counts_upwards():
    answer = said(compared(-0.5, 0.05))
    assert (answer.text, answer.detail) == ("0.50 mm wider", "90 % interval 0.42 to 0.58")


def test_what_cannot_be_told_from_zero_is_not_called_a_change():
    answer = said(compared(0.05, 0.05))
    assert (answer.text, answer.kind) == ("No change that can be told from zero", "same")
    assert answer.detail == "0.05 mm narrower (90 % interval −0.03 to 0.13, below zero: wider)"


def test_an_end_near_zero_is_not_rounded_to_it():
    answer = said(compared(0.05, 0.029))
    assert answer.kind == "narrower"
    assert answer.detail.startswith("90 % interval 0.002 to")


def test_a_change_below_the_smallest_detectable_one_says_so():
    answer = said(compared(-0.2, 0.05), Detectable(mm=0.3, words=""))
    assert (answer.text, answer.kind) == ("Less than the smallest detectable change", "same")
    assert answer.detail == ("0.20 mm wider (90 % interval 0.12 to 0.28), 0.3 mm can be detected")
    assert said(compared(0.31, 0.05), Detectable(mm=0.3, words="")).kind == "narrower"


def test_an_uncertainty_that_nobody_stated_is_not_made_up():
    answer = said(compared(0.5, None))
    assert (answer.text, answer.kind) == ("0.50 mm narrower", "unsure")
    assert "uncertainty not stated" in answer.detail
    assert cells(compared(0.5, None)) == {"change": "0.50 mm", "interval": "–", "counted": ""}


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (compared(refused="another\njoint"), None, "another joint"),
        (None, "cannot be read", "cannot be read"),
        (compared(spacing_mm=None), None, "the pixel spacing is unknown"),
    ],
)
def test_without_an_answer_no_length_is_named(found, reason, words):
    answer = headline(found, reason, Detectable(mm=0.3, words=""))
    assert (answer.text, answer.kind) == ("No answer", "refused")
    assert words in answer.detail
    assert cells(found) == {"change": "–", "interval": "–", "counted": ""}
    rest = [] if found is None else measures(found)
    assert not re.search(r"\d\s*mm", " ".join([answer.detail, *(text for _, text in rest)]))


def test_the_smallest_detectable_change_says_where_it_is_from(monkeypatch):
    monkeypatch.setattr(narrowing_words, "smallest_detectable_mm", lambda _: None)
    stated = Detectable.of([compared(sd_mm=0.02), compared(sd_mm=0.05)])
    assert stated.mm == pytest.approx(1.96 * 0.05)
    assert "1.96 × the stated SD" in stated.words
    assert Detectable.of([compared(sd_mm=None)]).mm is None
    monkeypatch.setattr(narrowing_words, "smallest_detectable_mm", lambda _: 0.07)
    measured = Detectable.of([compared(sd_mm=None)])
    assert (measured.mm, "seen three times" in measured.words) == (0.07, True)


def test_other_measures_with_their_units():
    rows = dict(measures(compared()))
    assert rows["Upper bone"] == "match 0.970, 80 % of its pixels compared"
    assert "mm" in rows["Upper bone went"]
    assert rows["Upper bone turned"] == "0.00° (SD 0.28)"


@pytest.mark.parametrize(
    ("lateral_px", "angle_deg", "words"),
    [(1.0, 2.0, ("right of the image", "° counter-")), (-1.0, -2.0, ("left of", "° clockwise"))],
)
def test_directions_are_said_in_words(lateral_px, angle_deg, words):
    rows = dict(measures(compared(lateral_px=lateral_px, angle_deg=angle_deg)))
    assert words[0] in rows["Upper bone went"]
    assert words[1] in rows["Upper bone turned"]
    assert not {"-", "−"} & {rows[name][0] for name in ("Upper bone went", "Upper bone turned")}


def test_what_was_not_compared_is_not_said_to_match():
    bones = {name: RegisteredBone(motion=Similarity()) for name in ("upper", "lower")}
    assert measures(compared(refused="the other hand", bones=bones)) == []


def test_an_interval_beside_wider_has_no_minus():
    shown = cells(compared(-0.5, 0.05))
    assert (shown["interval"], shown["counted"]) == ("−0.58 to −0.42", "0.42 to 0.58")
    assert cells(compared(0.05, 0.05))["counted"] == "−0.03 to 0.13"


def test_visits_are_numbered_and_days_counted():
    assert visit_name(2) == "Visit 2"
    assert visit_name(3, 1461) == "Visit 3, day 1\u202f461"
