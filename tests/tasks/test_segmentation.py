"""Finding the bones: masks on the image's own grid, and reasons to refuse."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import joints
from lamella.methods.bones.infer import BonesEstimate
from lamella.physics.phantoms import JointPhantom
from lamella.prepare.grid import JointGrid
from lamella.records import Radiograph
from lamella.tasks.segmentation import PX_MULTIPLE, THUMB_FLAG, segment_joint

SURE = 0.98


def finder_of(phantom: JointPhantom, radiograph: Radiograph, **changes: Any) -> Callable:
    """A network that knows the phantom: its masks, on the network's grid, padded."""
    grid = JointGrid.of(radiograph)
    rows, cols = (-(-length // PX_MULTIPLE) * PX_MULTIPLE for length in grid.shape)

    def probability(mask: np.ndarray) -> np.ndarray:
        small = grid.mask_to_network(mask)
        padded = np.pad(small, ((0, rows - small.shape[0]), (0, cols - small.shape[1])))
        return np.where(padded, SURE, 1 - SURE).astype(np.float32)

    found = BonesEstimate(
        upper=probability(phantom.masks["upper"]),
        lower=probability(phantom.masks["lower"]),
        joint=0.99,
        thumb=0.01,
    )

    def find(pixels: np.ndarray) -> BonesEstimate:
        assert pixels.shape == (rows, cols)
        return replace(found, **changes)

    return find


def segmented(phantom: JointPhantom, radiograph: Radiograph | None = None, **changes: Any):
    radiograph = radiograph or joints.radiograph_of(phantom)
    return segment_joint(radiograph, finder_of(phantom, radiograph, **changes))


def dice(found: np.ndarray, true: np.ndarray) -> float:
    return 2 * (found & true).sum() / (found.sum() + true.sum())


def test_what_the_network_finds_is_returned_as_it_is_at_its_own_spacing(overlapping):
    masks = segmented(overlapping)
    assert (masks.refused, masks.flags, masks.origin) == (None, (), "segmented")
    assert 0.9 < masks.confidence < 1
    for name in ("upper", "lower"):
        np.testing.assert_array_equal(masks[name], overlapping.masks[name])
    assert masks.overlap.sum() > 100


@pytest.mark.parametrize(
    "spec",
    [
        {"rows": 128, "cols": 128, "pixel_spacing_mm": 0.164},
        {"rows": 150, "cols": 201, "pixel_spacing_mm": 0.1},
        {"rows": 300, "cols": 270, "pixel_spacing_mm": 0.06},
    ],
)
@pytest.mark.parametrize("spacing_known", [True, False])
def test_masks_return_on_the_images_own_grid(spec, spacing_known):
    phantom = joints.phantom(**spec)
    changes = {} if spacing_known else {"pixel_spacing_mm": None}
    masks = segmented(phantom, joints.radiograph_of(phantom, **changes))
    assert masks.refused is None
    assert masks.shape == phantom.intensity.shape
    assert min(dice(masks[name], phantom.masks[name]) for name in masks) > 0.985


def test_only_the_largest_part_of_a_bone_is_kept(overlapping):
    radiograph = joints.radiograph_of(overlapping)
    upper = finder_of(overlapping, radiograph)(radiograph.pixels).upper.copy()
    upper[-12:, :12] = SURE
    masks = segmented(overlapping, upper=upper)
    np.testing.assert_array_equal(masks["upper"], overlapping.masks["upper"])


def test_a_thumb_is_flagged_and_still_segmented(overlapping):
    masks = segmented(overlapping, thumb=0.9)
    assert masks.flags == (THUMB_FLAG,)
    assert masks.refused is None


def is_refused(masks, reason: str, radiograph_shape: tuple[int, int]) -> None:
    assert masks.refused is not None
    assert reason in masks.refused
    assert masks.shape == radiograph_shape
    assert not any(masks[name].any() for name in ("upper", "lower"))


def test_what_is_no_joint_is_refused(overlapping):
    masks = segmented(overlapping, joint=0.12)
    is_refused(masks, "does not look like a finger joint (probability 0.12)", (256, 256))
    assert masks.confidence < 0.2


def test_a_joint_upside_down_is_refused_with_a_remedy(overlapping):
    radiograph = joints.radiograph_of(overlapping)
    found = finder_of(overlapping, radiograph)(radiograph.pixels)
    masks = segmented(overlapping, upper=found.lower, lower=found.upper)
    is_refused(masks, "upside down: turn the image", (256, 256))


def test_a_missing_bone_is_refused(overlapping):
    nothing = np.zeros((256, 256), np.float32)
    is_refused(segmented(overlapping, lower=nothing), "was not found", (256, 256))
    speck = nothing.copy()
    speck[200:220, 100:120] = SURE
    is_refused(segmented(overlapping, lower=speck), "was not found", (256, 256))


def test_vague_outlines_are_refused(overlapping):
    radiograph = joints.radiograph_of(overlapping)
    found = finder_of(overlapping, radiograph)(radiograph.pixels)
    vague = np.where(found.lower > 0.5, 0.55, 0.45).astype(np.float32)
    is_refused(segmented(overlapping, lower=vague), "outlines are too uncertain", (256, 256))


def test_confidence_is_that_of_the_weaker_bone_and_of_the_joint(overlapping):
    radiograph = joints.radiograph_of(overlapping)
    found = finder_of(overlapping, radiograph)(radiograph.pixels)
    weaker = np.clip(found.lower, 0.03, 0.9)
    sure = segmented(overlapping).confidence
    assert segmented(overlapping, lower=weaker).confidence < sure
    assert segmented(overlapping, upper=np.clip(found.upper, 0, 1)).confidence == sure
    assert segmented(overlapping, joint=0.99 * 0.9).confidence == pytest.approx(0.9 * sure)


def test_a_field_of_view_that_is_no_joints_is_refused_without_the_network(overlapping):
    radiograph = joints.radiograph_of(overlapping, pixel_spacing_mm=0.5)

    def never(_: np.ndarray) -> BonesEstimate:
        pytest.fail("asked")

    is_refused(segment_joint(radiograph, never), "expected one finger joint", (256, 256))
