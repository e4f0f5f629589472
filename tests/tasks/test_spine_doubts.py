"""What a reader should doubt: what losses rest on, and spines too low to be healthy."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.height_references.conditional import told_by_neighbours
from lamella.physics.vertebra_population import LEVEL_NORMS, HeightPopulation, zones_of
from lamella.records import VERSE_IDS, SpineLabels, Vertebra
from lamella.tasks.spine import against
from lamella.tasks.spine_doubts import (
    NO_NEIGHBOUR,
    ONE_NEIGHBOUR,
    left_out,
    unlikely_size,
    with_doubts,
)
from spines import body, told

LEVELS = ("T11", "T12", "L1", "L2")


def bodies(factor: float = 1.0, **factors: float) -> dict:
    """Level norms times a factor, with exceptions by level."""
    return {
        level: body(
            level, zones_of(factors.get(level, factor) * LEVEL_NORMS[level].heights_mm), sd_mm=0.05
        )
        for level in LEVELS
    }


def compared(found: dict, neighbours: dict[str, tuple[str, ...]]) -> dict[str, Vertebra]:
    made = [
        against(found[level], told_by_neighbours(level, found, frozenset(neighbours[level])))
        for level in found
    ]
    return {one.level: one for one in with_doubts(made)}


def test_a_loss_that_rests_on_a_vertebra_that_lost_height_says_so():
    found = bodies(T12=0.6)
    rests = {"T11": ("T12", "L2"), "T12": ("L1", "L2"), "L1": ("T12",), "L2": ("T11", "L1")}
    flags = {level: one.flags for level, one in compared(found, rests).items()}
    (said,) = flags["T11"]
    assert said.startswith("compared with T12, lower than expected")
    assert (flags["T12"], flags["L2"]) == ((), ())
    assert flags["L1"][0] == ONE_NEIGHBOUR
    assert "T12" in flags["L1"][1]


def test_flags_of_the_body_stay_and_refused_vertebrae_are_left_alone():
    own = replace(told(zones_of(LEVEL_NORMS["L1"].heights_mm)), neighbours=())
    flagged = replace(bodies()["L1"], flags=("thin",))
    refused = Vertebra(level="L2", refused="cut off")
    first, second = with_doubts([against(flagged, own), refused])
    assert first.flags == ("thin", NO_NEIGHBOUR)
    assert second == refused


@pytest.mark.parametrize(("factor", "words"), [(0.6, "lower"), (1.7, "taller")])
def test_a_spine_too_low_or_too_tall_for_people_is_told(factor, words):
    said = unlikely_size(bodies(factor))
    assert said is not None
    assert f"{100 * abs(factor - 1):.0f} % {words}" in said
    assert ("lost height" in said) == (factor < 1)


def test_people_of_the_population_are_not():
    rng = np.random.default_rng(5)
    told_of = 0
    for _ in range(200):
        person = HeightPopulation().draw(rng, LEVELS)
        found = {level: body(level, zones_of(person.heights_mm(level))) for level in LEVELS}
        told_of += unlikely_size(found) is not None
    assert told_of <= 3
    assert unlikely_size({}) is None


def test_levels_without_norms_are_named():
    ids = np.zeros((3, 3, 9), np.uint8)
    for place, level in enumerate(("T2", "T1", "C7", "C6")):
        ids[1, 1, 2 * place] = VERSE_IDS[level]
    said = left_out(SpineLabels(ids=ids, affine=np.eye(4)))
    assert said == "C6, C7 left out: heights are compared from T1 to L6"
    ids[ids == VERSE_IDS["C7"]] = ids[ids == VERSE_IDS["C6"]] = 0
    assert left_out(SpineLabels(ids=ids, affine=np.eye(4))) is None
