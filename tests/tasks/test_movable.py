"""Parts that can be moved: they add up, and their soft edges lean to neither side."""

import numpy as np
import pytest

import joints
from lamella.physics.soft_tissue import matte
from lamella.prepare.masks import reaching_border
from lamella.tasks.movable import Movable, movable
from lamella.tasks.separation import separate_joint

SPACING_MM = 0.082


@pytest.fixture(scope="module")
def layers():
    phantom = joints.phantom(jsw_mm=0.8, noise=0.008)
    return separate_joint(
        joints.radiograph_of(phantom), phantom.masks, joints.estimate_saying(), "test"
    )


@pytest.fixture(scope="module")
def mattes(layers) -> np.ndarray:
    reaching = reaching_border(layers.masks)
    return np.stack([matte(reaching[name], SPACING_MM) for name in ("upper", "lower")])


@pytest.fixture(scope="module")
def parts(layers, mattes) -> Movable:
    return movable(layers, mattes, SPACING_MM, seed=0)


def test_the_parts_add_up_to_what_was_observed(parts):
    np.testing.assert_allclose(parts.soft + parts.bones.sum(axis=0), parts.observed, atol=1e-6)


def test_beyond_the_soft_edges_they_are_the_layers(layers, mattes, parts):
    covered = mattes.max(axis=0)
    sure = (covered == 0) | (covered == 1)
    np.testing.assert_array_equal(parts.soft[sure], layers.soft_absorbance[sure])
    for bone, name in zip(parts.bones, ("upper", "lower"), strict=True):
        np.testing.assert_array_equal(bone[sure], layers.bone_absorbance[name][sure])


def test_on_the_outer_soft_edge_a_bone_has_grain_of_either_sign(mattes, parts):
    covered = mattes.max(axis=0)
    outer = (covered > 0) & (covered < 0.3)
    total = parts.bones.sum(axis=0)[outer]
    assert (total < 0).mean() > 0.2
    assert abs(total.mean()) < 0.5 * total.std()


def test_bared_tissue_has_no_rim(mattes, parts):
    """soft + h m, what is seen when both bones have gone: as rough on the edge as beside it."""
    covered = mattes.max(axis=0)
    bared = parts.soft + parts.grain * covered
    fine = bared - np.asarray(_mean(bared))
    edge = (covered > 0.05) & (covered < 0.95)
    beside = covered == 0
    beside[:8] = beside[-8:] = False
    assert fine[edge].std() == pytest.approx(fine[beside].std(), rel=0.25)


def test_a_joint_without_any_edge_stays_as_it_is(layers):
    nothing = np.zeros((2, *layers.radiograph.shape), np.float32)
    parts = movable(layers, nothing, SPACING_MM, seed=0)
    np.testing.assert_array_equal(parts.soft, layers.soft_absorbance)


def _mean(image):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, 2.0)
