"""The judges: a network that knows scores perfectly, one that errs by known millimetres so much."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lamella.methods.healthivert.channels import Channel, Map, Plane
from lamella.methods.healthivert.gap import pushed_apart
from lamella.methods.healthivert.networks import Drawn
from lamella.methods.healthivert.objective import EXACT
from lamella.training.spine_batches import Look, gap_slice
from lamella.training.spine_fractures import fractured_part
from lamella.training.spine_judge import (
    FractureJudge,
    GeneratorJudge,
    dice_of,
    fracture_figures,
    slices_across,
    zone_errors_mm,
)
from lamella.training.spine_pool import SpinePool


class Knows:
    """Says the truth of the slices it is asked for, in their order; heights ``too_tall`` rows off.

    Where the truth says so the whole column of the mask is made longer by ``longer`` rows below.
    """

    def __init__(self, crop, plane: Plane, longer: int = 0) -> None:
        looks = [Look(index=index) for index in slices_across(crop.facts, plane)]
        self.truths = [gap_slice(crop, None, plane, look) for look in looks]
        self.longer, self.asked = longer, 0

    def __call__(self, seen: torch.Tensor) -> Drawn:
        said = self.truths[self.asked : self.asked + len(seen)]
        self.asked += len(seen)
        maps = torch.zeros(len(seen), len(Map), *seen.shape[2:])
        for maps_of, (_, ct, target, _, _) in zip(maps, said, strict=True):
            maps_of[Map.FINE_CT] = maps_of[Map.COARSE_CT] = torch.from_numpy(ct)
            solid = torch.from_numpy(target)
            for _ in range(self.longer):
                solid = torch.maximum(solid, torch.roll(solid, 1, 0))
            maps_of[Map.FINE_SEG] = solid
        heights = torch.tensor([[float(s[4])] * 2 for s in said])
        return Drawn(maps, heights)


@pytest.fixture(scope="module")
def one(spine_pool) -> SpinePool:
    return SpinePool(crops=(next(c for c in spine_pool.crops if c.facts.grade == 0),))


def judge(pool, plane):
    return GeneratorJudge(pool=pool, attention=None, plane=plane, terms=EXACT)


@pytest.mark.parametrize("plane", Plane)
def test_who_knows_is_right(one, plane):
    figures = judge(one, plane)(Knows(one.crops[0], plane))
    assert figures["dice"] == 1.0
    assert figures["height_error_mm"] == pytest.approx(0.0, abs=1e-6)
    assert figures["psnr"] > 25.0


@pytest.mark.parametrize("plane", Plane)
def test_two_rows_too_many_are_two_millimetres(one, plane):
    figures = judge(one, plane)(Knows(one.crops[0], plane, longer=2))
    assert figures["height_error_mm"] == pytest.approx(2.0, abs=0.2)
    assert figures["height_bias_mm"] == pytest.approx(2.0, abs=0.2)
    assert 0.85 < figures["dice"] < 0.98


def test_a_wedge_is_seen_in_the_third_it_lies_in(one):
    """Only the front third's columns lose 3 rows: the error is there, its middle and back right."""
    facts = one.crops[0].facts
    true = np.zeros((21, 160, 96), np.float32)
    true[:, 60:90, 30:60] = 1.0
    found = true.copy()
    found[:, 60:63, 30:42] = 0.0
    errors = zone_errors_mm(found, true, facts, Plane.SAGITTAL)
    np.testing.assert_allclose(errors / facts.row_mm, [-3.0, 0.0, 0.0], atol=0.2)
    across = found.transpose(2, 1, 0)[::2], true.transpose(2, 1, 0)[::2]
    turned = zone_errors_mm(*across, facts, Plane.CORONAL)
    np.testing.assert_allclose(turned, errors, atol=0.3)


def test_a_faint_haze_is_no_height(one):
    """Probabilities far below one half, spread over all rows, move no endplate."""
    true = np.zeros((5, 160, 96), np.float32)
    true[:, 60:90, 30:60] = 1.0
    errors = zone_errors_mm(np.maximum(true, 0.05), true, one.crops[0].facts, Plane.SAGITTAL)
    assert np.abs(errors).max() < 0.1


def test_only_healthy_vertebrae_judge_spread_over_the_pool(spine_pool):
    few = GeneratorJudge(
        pool=spine_pool, attention=None, plane=Plane.SAGITTAL, terms=EXACT, most=2
    ).numbers
    assert len(few) == 2
    assert (spine_pool.grades[few] == 0).all()


def test_dice_of_halves():
    whole = np.ones((2, 4), bool)
    half = np.zeros((2, 4), bool)
    half[0] = True
    assert dice_of(half, whole) == pytest.approx(2 / 3)
    assert dice_of(~whole, ~whole) == 0.0


def test_figures_of_a_classifier():
    figures = fracture_figures([2.0, 0.5, -1.0, -2.0], [True, False, True, False])
    assert figures == {"auc": 0.75, "sensitivity": 0.5, "specificity": 0.5}
    assert fracture_figures([1.0], [True])["auc"] == 0.5
    assert fracture_figures([0.0, 0.0], [True, False])["auc"] == 0.5


def test_the_classifiers_judge_asks_for_each_vertebra_alone_and_for_the_heat_on_whole_slices(
    spine_pool,
):
    """A "network" that knows the grades by the order it is asked in, and is hot in front."""
    grades = iter(spine_pool.grades.tolist())

    def network(slices):
        if slices.shape[2] == 160:
            return SimpleNamespace(heat=torch.full((1, 1, 160, 96), 0.25))
        assert slices.shape[0] == 5
        assert 30 < slices.shape[2] < 72
        return SimpleNamespace(logit=torch.full((5, 1), 1.0 if next(grades) else -1.0))

    figures = FractureJudge(pool=spine_pool)(network)
    assert figures == {
        "auc": 1.0,
        "sensitivity": 1.0,
        "specificity": 1.0,
        "heat": 0.25,
        "heat_elsewhere": 0.25,
    }


def test_heat_on_fractured_bodies_is_told_from_that_elsewhere(spine_pool):
    """A "network" that marks the fractured bodies of the slice it is shown."""
    marks = iter(
        torch.from_numpy(fractured_part(crop, middle(crop)).astype(np.float32))
        for crop in spine_pool.crops
    )

    def network(slices):
        if slices.shape[2] < 160:
            return SimpleNamespace(logit=torch.zeros(5, 1))
        return SimpleNamespace(heat=next(marks)[None, None])

    figures = FractureJudge(pool=spine_pool)(network)
    assert (figures["heat"], figures["heat_elsewhere"]) == (1.0, 0.0)


def middle(crop) -> int:
    first, last = crop.facts.span(Plane.SAGITTAL)
    return round(first + 0.5 * (last - first))


def test_the_channels_a_judge_shows_hide_the_vertebra(one):
    """What is asked of the network shows the gap, not the answer."""
    crop = one.crops[0]
    seen = gap_slice(crop, None, Plane.SAGITTAL, Look(index=32))[0]
    assert (seen[Channel.CT][seen[Channel.GAP] > 0] == -1.0).all()
    assert pushed_apart(crop.grey.astype(np.float32), crop.facts.site)[:, 79].max() == 0.0
