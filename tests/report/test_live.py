"""What the page gets of a joint that moves, and what its section says."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from joints import phantom, radiograph_of
from lamella.records import Layers, RunRecord
from lamella.report import SeparationCase, images, live, separation_page
from lamella.tasks.synthesis import AdjustableJoint
from lamella.zoo.verbs import adjustable, separate

MOST_PAYLOAD_BYTES = 1_500_000


@pytest.fixture(scope="module")
def joint() -> AdjustableJoint:
    """A phantom of 256 x 256 pixels, ready to be moved."""
    made = phantom(jsw_mm=0.8)
    return adjustable(separate(radiograph_of(made), made.masks))


def test_the_stored_end_is_the_measured_one(joint: AdjustableJoint) -> None:
    told = live.payload(joint, "joint 1", None)
    assert told["start"]["jsw_px"] == joint.joint_space.jsw_px
    for bone in told["bones"]:
        np.testing.assert_allclose(bone["arc"], joint.ends[bone["name"]].arc_px, atol=5e-5)
        assert bone["direction"] == joint.ends[bone["name"]].direction
    assert told["rules"]["farthest_px"] == joint.margin_px - 3
    assert told["spacing"] == 0.082
    assert told["spacing_source"] == "given by the user"


def test_bones_mirrored_beyond_the_image_are_the_padded_ones(joint: AdjustableJoint) -> None:
    maps = live.page_maps(joint)
    reach = maps.margin_px
    for part, padded in zip(maps.splines, joint.splines, strict=True):
        mirrored = np.pad(part, reach, mode="reflect")
        sampled = [
            ndimage.shift(stack, (0.4, -0.3), order=3, prefilter=False)[4:-4, 4:-4]
            for stack in (mirrored, padded)
        ]
        assert np.abs(sampled[0] - sampled[1]).max() < 2e-3


def test_a_joint_of_256_pixels_is_small(joint: AdjustableJoint, run: RunRecord) -> None:
    layers = joint.layers
    one = len(separation_page([SeparationCase(name="a", layers=layers)], run).encode())
    two = [SeparationCase(name=name, layers=layers) for name in ("a", "b")]
    assert len(separation_page(two, run).encode()) - one < MOST_PAYLOAD_BYTES


def test_a_large_image_is_reduced_and_its_numbers_are_not(
    joint: AdjustableJoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "LONGEST_SIDE_PX", 100)
    shown = live.view(joint, "joint 1")
    assert shown["reduced"]
    assert shown["payload"]["size"] == (100, 100)
    assert shown["payload"]["source"] == (256, 256)
    assert shown["payload"]["start"]["jsw_px"] == joint.joint_space.jsw_px
    maps = live.page_maps(joint)
    middle = ndimage.zoom(joint.soft, 100 / 256, order=1)
    assert np.abs(maps.soft - middle)[5:-5, 5:-5].mean() < 0.01


def test_sliders_hold_every_width_of_the_law_and_the_present_one(joint: AdjustableJoint) -> None:
    width, shift, turn = live.sliders(joint)
    assert width["low"] <= -1.0
    assert width["high"] >= 3.0
    assert width["value"] == pytest.approx(joint.joint_space.jsw_mm, abs=1e-4)
    assert (shift["value"], turn["value"]) == (0.0, 0.0)
    assert shift["low"] == -shift["high"]


def test_without_spacing_everything_is_in_pixels(joint: AdjustableJoint, run: RunRecord) -> None:
    radiograph = replace(joint.layers.radiograph, pixel_spacing_mm=None, spacing_source=None)
    layers = replace(joint.layers, radiograph=radiograph)
    page = separation_page([SeparationCase(name="joint 1", layers=layers)], run)
    assert 'data-unit="px"' in page
    assert not re.search(r"\bmm\b", page)


@pytest.mark.parametrize(("side", "mark"), [(None, ">side unknown<"), ("R", ">R<"), ("L", ">L<")])
def test_the_side_is_marked(
    joint: AdjustableJoint, run: RunRecord, side: live.Side | None, mark: str
) -> None:
    page = separation_page([SeparationCase(name="a", layers=joint.layers, side=side)], run)
    assert mark in page


def test_a_joint_that_cannot_be_moved_says_why(
    make_layers: Callable[..., Layers], run: RunRecord
) -> None:
    layers = make_layers()
    alone = replace(
        layers,
        masks=replace(layers.masks, masks={"upper": layers.masks["upper"]}),
        bone_absorbance={"upper": layers.bone_absorbance["upper"]},
    )
    assert live.of_layers(alone, "joint 1")["payload"] is None
    page = separation_page([SeparationCase(name="joint 1", layers=alone)], run)
    assert "This joint cannot be moved: expected" in page
    assert 'id="live-0"' not in page


def test_no_name_but_the_shown_one_enters(joint: AdjustableJoint, run: RunRecord) -> None:
    radiograph = replace(joint.layers.radiograph, source="doe_jane.dcm")
    layers = replace(joint.layers, radiograph=radiograph)
    page = separation_page([SeparationCase(name="joint 1", layers=layers)], run)
    words = re.sub(r"[\w+/=]{200,}", "", page).lower()
    assert "doe_jane" not in words
