"""What shows when bones leave: rows agree beside the bones and differ under them."""

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.evaluation.revealed import (
    CUT,
    SMEAR,
    Former,
    cut_and_inpainted,
    predicted,
    revealed_rows,
    with_grain,
    without_grain,
)
from lamella.evaluation.rows import LAMELLA
from lamella.physics.formation import absorbance
from lamella.records import LamellaError
from lamella.tasks.synthesis import AdjustableJoint
from lamella.zoo.verbs import separate

EDGE_PX = 7
"""Farther than any matte reaches."""

PHANTOM = joints.phantom(jsw_mm=1.0)


@pytest.fixture(scope="module")
def radiograph():
    return joints.radiograph_of(PHANTOM)


def test_regions_do_not_touch_and_masks_come_top_first(radiograph):
    swapped = {name: PHANTOM.masks[name] for name in ("lower", "upper")}
    former = Former.of(radiograph, swapped)
    assert list(former.masks) == ["upper", "lower"]
    assert not (former.hidden & former.visible).any()
    assert (former.hidden | ~former.bone).all()


def test_a_spacing_is_needed():
    bare = joints.radiograph_of(PHANTOM, pixel_spacing_mm=None)
    with pytest.raises(LamellaError, match="expected a known pixel spacing"):
        Former.of(bare, PHANTOM.masks)


def test_every_row_leaves_what_is_visible(radiograph):
    former = Former.of(radiograph, PHANTOM.masks)
    observed = absorbance(radiograph.pixels, radiograph.grey_level)
    for revealed in (with_grain(separate), without_grain, cut_and_inpainted):
        soft = revealed(radiograph, PHANTOM.masks)
        error = np.abs(soft - observed)[former.visible]
        assert np.percentile(error, 99) < 0.01


def test_grain_is_what_a_smear_lacks(radiograph):
    former = Former.of(radiograph, PHANTOM.masks)
    fine = [
        np.abs(np.diff(revealed(radiograph, PHANTOM.masks), axis=1))[former.bone[:, 1:]].mean()
        for revealed in (with_grain(separate), without_grain)
    ]
    assert fine[0] > 5 * fine[1]


def test_bones_gone_is_what_synthesis_shows_where_a_bone_left(radiograph):
    layers = separate(radiograph, PHANTOM.masks)
    joint = AdjustableJoint.of(layers)
    made = joint.at(joint.posed(jsw_mm=2.5))
    bared = with_grain(separate)(radiograph, PHANTOM.masks)
    here = np.any(list(made.masks.values()), axis=0)
    gone = (joint.matte >= 1.0) & (ndimage.distance_transform_edt(~here) > EDGE_PX)
    assert gone.sum() > 20
    np.testing.assert_allclose(made.soft_absorbance[gone], bared[gone], atol=1e-5)


def test_rows_are_exact_ones_with_grain_controls_and_predictions(radiograph):
    rows = revealed_rows()
    assert next(iter(rows)) == LAMELLA
    assert {SMEAR, CUT, "BLS-GAN, shipped"} <= set(rows)
    soft = rows["BLS-GAN, shipped"](radiograph, PHANTOM.masks)
    assert np.ptp(soft[Former.of(radiograph, PHANTOM.masks).bone]) == 0.0
    same = predicted(separate)(radiograph, PHANTOM.masks)
    np.testing.assert_array_equal(same, without_grain(radiograph, PHANTOM.masks))
