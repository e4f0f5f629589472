"""Ways to draw a vertebra: what each does to a spine of known blocks."""

import numpy as np
import pytest

import spines
import straight_spines
from lamella.evaluation import spine_drawers
from lamella.evaluation.spine_drawers import (
    Wanted,
    as_it_is,
    by_networks,
    inpainted,
    plain_drawers,
    shipped,
    standing_drawers,
    stretched,
)
from lamella.evaluation.spine_reading import read_straight
from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.infer import Networks
from lamella.records import VERSE_IDS
from lamella.zoo import spine as zoo
from lamella.zoo.spine import Fusion

ROW_MM = 1.05
"""Flat endplates along the rows are known to a row."""

LOW = straight_spines.Block(front_mm=16.0, back_mm=16.0)


@pytest.fixture(scope="module")
def wanted():
    straight = straight_spines.spine(
        {"T12": straight_spines.Block(), "L1": LOW, "L2": straight_spines.Block()}
    )
    return Wanted(straight=straight, level="L1", told=spines.told(spines.alike(24.0)), abnormal={})


def block(batch):
    """Draws 20 rows of a body in the gap's middle."""
    maps = np.zeros((len(batch), 4, *batch.shape[2:]), np.float32)
    maps[:, [0, 2]] = batch[:, [Channel.CT]]
    middle = batch.shape[3] // 2
    maps[:, 1, 70:90, middle - 15 : middle + 15] = 1.0
    return maps, np.full((len(batch), 2), 20.0, np.float32)


def height_mm(restored):
    return read_straight(restored.straight, "L1").heights_mm.whole


def test_as_it_is_changes_nothing(wanted):
    made = as_it_is(wanted)
    assert made.straight is wanted.straight
    assert not made.shift_down_mm.any()
    assert height_mm(made) == pytest.approx(16.0, abs=ROW_MM)


@pytest.mark.parametrize("drawer", [stretched, inpainted])
def test_a_vertebra_gets_the_height_its_neighbours_let_expect(wanted, drawer):
    made = drawer(wanted)
    assert made.healthy == wanted.told
    assert height_mm(made) == pytest.approx(24.0, abs=ROW_MM)
    moved = made.shift_down_mm
    assert moved[-1] - moved[0] == pytest.approx(8.0, abs=ROW_MM)


def test_own_voxels_keep_their_grey_and_inpainting_shows_the_discs(wanted):
    grey = {}
    for drawer in (stretched, inpainted):
        straight = drawer(wanted).straight
        inside = straight.bodies == VERSE_IDS["L1"]
        grey[drawer] = float(np.median(straight.hu[inside]))
    assert grey[stretched] == pytest.approx(straight_spines.HU["body"], abs=5.0)
    assert grey[inpainted] == pytest.approx(straight_spines.HU["disc"], abs=25.0)


def test_networks_alone_say_shape_bone_and_height(wanted):
    made = by_networks(wanted, Networks(sagittal=block))
    assert made.healthy.heights_mm.whole == pytest.approx(20.0, abs=0.3)
    assert height_mm(made) == pytest.approx(20.0, abs=ROW_MM)


@pytest.mark.parametrize(("said", "expected_mm"), [(0.0, 24.0), (1.0, 20.0), (0.5, 480**0.5)])
def test_what_is_shipped_gives_networks_the_say_that_was_fitted(
    wanted, monkeypatch, said, expected_mm
):
    how = Fusion(drawn_weight=said, drawn_shape=0.5, spread=1.0)
    monkeypatch.setattr(spine_drawers, "fusion", lambda: how)
    monkeypatch.setattr(zoo, "networks", lambda: Networks(sagittal=block))
    made = shipped(wanted)
    assert made.healthy.heights_mm.whole == pytest.approx(expected_mm, abs=0.3)
    assert height_mm(made) == pytest.approx(expected_mm, abs=ROW_MM)
    inside = made.straight.bodies == VERSE_IDS["L1"]
    grey = float(np.median(made.straight.hu[inside]))
    assert grey == pytest.approx(straight_spines.HU["body"], abs=5.0)


def test_those_that_learn_nothing_always_stand():
    assert set(plain_drawers()) <= set(standing_drawers())
