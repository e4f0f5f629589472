"""A spine in words: findings, probabilities, dashes and reasons."""

import math
from dataclasses import replace

import pytest

from assessed_spines import assessed
from lamella.records import HeightLoss, LamellaError, SpineAssessment, Vertebra, Zones
from lamella.report import spine_words as words

SPACE = "\u202f"


def alike(value: float) -> Zones:
    return Zones(anterior=value, middle=value, posterior=value, whole=value)


def made(grade: int, chances: tuple[float, float, float, float], level: str = "L1") -> Vertebra:
    loss = HeightLoss(
        rhlv=Zones(anterior=0.314, middle=0.12, posterior=-0.021, whole=0.14),
        rhlv_sd=alike(0.044),
        grade=grade,
        kind="wedge" if grade else None,
        grade_probabilities=chances,
    )
    return Vertebra(level=level, loss=loss)


def spine(*vertebrae: Vertebra) -> SpineAssessment:
    return replace(assessed(), vertebrae=vertebrae, warnings=())


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0.31, f"31{SPACE}%"),
        (0.999, f">{SPACE}99{SPACE}%"),
        (0.001, f"<{SPACE}1{SPACE}%"),
        (0.006, f"1{SPACE}%"),
    ],
)
def test_nobody_is_certain(part, text):
    assert words.chance(part) == text


def test_losses_have_a_true_minus_and_no_negative_zero():
    vertebra = made(2, (0.0, 0.1, 0.9, 0.0))
    assert words.loss(vertebra, "posterior") == f"\u22122 ± 4{SPACE}%"
    assert words.percent(-0.001) == f"0{SPACE}%"
    assert words.loss(Vertebra(level="T4", refused="cut off"), "whole") == "–"


def test_a_fracture_is_named_with_its_worst_third():
    said = words.answer(made(2, (0.01, 0.09, 0.9, 0.0)))
    assert said.text == "L1 wedge fracture, grade 2"
    assert said.detail == f"RHLV 31 ± 4{SPACE}% (anterior) · P(grade ≥ 1) = 99{SPACE}%"
    assert said.kind == "narrower"


def test_a_doubtful_fracture_is_marked_so():
    assert words.answer(made(1, (0.35, 0.6, 0.05, 0.0))).kind == "unsure"
    assert words.answer(made(0, (0.65, 0.3, 0.05, 0.0))).kind == "unsure"
    assert words.answer(made(0, (0.95, 0.05, 0.0, 0.0))).kind == "same"


def test_the_worst_fracture_comes_first():
    first, second = made(1, (0.1, 0.9, 0.0, 0.0), "T8"), made(3, (0.0, 0.0, 0.1, 0.9), "L2")
    assert [each.level for each in words.summary(spine(first, second))] == ["L2", "T8"]


def test_no_fracture_names_the_likeliest_and_no_answer_its_reason():
    healthy = spine(made(0, (0.9, 0.1, 0.0, 0.0), "T9"), Vertebra(level="T10", refused="cement"))
    (said,) = words.summary(healthy)
    assert said.text == "No fracture found"
    assert "T9, anterior" in said.detail
    assert words.notes(healthy)[0] == "1 vertebra graded, T9 to T10; no answer for T10."
    (nothing,) = words.summary(spine(Vertebra(level="T10", refused="cement")))
    assert (nothing.text, nothing.detail) == ("No answer", "cement")


def test_what_cannot_be_ruled_out_is_said():
    noted = words.notes(spine(made(0, (0.7, 0.3, 0.0, 0.0))))
    assert any("cannot be ruled out: L1 (P(grade ≥ 1) = 30" in each for each in noted)


def test_labels_alone_are_said_once():
    alone = assessed(with_ct=False)
    alone = replace(alone, warnings=(words.NO_IMAGE, "seen"))
    assert words.NO_CT in words.notes(alone)
    assert words.warnings(alone) == ("seen",)


def test_cells_are_the_records_rounded():
    spine_ = assessed()
    vertebra = spine_["L1"]
    row = words.cells(vertebra)
    body, healthy, loss = vertebra.body, vertebra.healthy, vertebra.loss
    assert body
    assert healthy
    assert loss
    for place, zone in enumerate(("anterior", "middle", "posterior")):
        observed, was = body.heights_mm.of(zone), healthy.heights_mm.of(zone)
        assert row["heights"][place] == (f"{observed:.1f}", f"{was:.1f}")
        share = row["losses"][place].split(" ")[0].replace("\u2212", "-")
        assert math.isclose(float(share), 100 * (1 - observed / was), abs_tol=0.5001)
    assert (row["grade"], row["kind"], row["worst"]) == (loss.grade, "wedge", "anterior")
    assert words.cells(spine_["L2"])["heights"][0] == ("–", "–")
    assert words.cells(spine_["L2"])["said"] == spine_["L2"].refused


def test_a_refused_vertebra_has_no_worst_third():
    with pytest.raises(LamellaError, match="T10 has no height loss"):
        words.worst_zone(Vertebra(level="T10", refused="cement"))


def test_facts_name_the_reference_and_its_neighbours():
    told = dict(words.facts(assessed()["L1"]))
    assert told["Healthy heights from"] == "phantom truth: T12, L2"
    assert told["Pseudo-healthy image"] == "generated inside the CT"
    assert "not generated" in dict(words.facts(assessed()["T12"]))["Pseudo-healthy image"]
