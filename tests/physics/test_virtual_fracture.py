"""A phantom fractured virtually: it loses what was asked for, its neighbours lose nothing."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from fracturable import fracturable
from lamella.physics.vertebra_zones import zone_heights
from lamella.physics.virtual_fracture import (
    OUTSIDE_HU,
    FractureSpec,
    LabelledSpine,
    virtual_fracture,
)
from lamella.records import LamellaError, VertebraFrame
from lamella.records.spine import VERSE_IDS

ZONES = ("anterior", "middle", "posterior")


@lru_cache(maxsize=4)
def fractured(kind, loss=0.4):
    spine = fracturable()
    whole = LabelledSpine(
        labels=spine.phantom.labels, bodies=spine.phantom.bodies, ct=spine.phantom.ct
    )
    spec = FractureSpec(kind=kind, loss=loss)
    return virtual_fracture(whole, "T12", spine.height_map, spec)


def counted(bodies, affine, frame, level):
    """Zone heights by counting body voxels along columns of a frame."""
    axes = [np.arange(-reach, reach + 0.01, 1.0) for reach in (18.0, 22.0)]
    up = np.arange(-18.0, 18.0, 0.3)
    grid = np.stack(np.meshgrid(*axes, up, indexing="ij"), axis=-1)
    back = np.linalg.inv(affine)
    index = frame.to_world(grid.reshape(-1, 3)) @ back[:3, :3].T + back[:3, 3]
    whole = np.clip(np.rint(index).astype(int), 0, np.array(bodies.shape) - 1)
    inside = bodies[tuple(whole.T)].reshape(grid.shape[:3])
    inside = inside == VERSE_IDS[level]
    section = inside[:, :, 60]
    heights = np.where(section, inside.sum(axis=2) * 0.3, np.nan)
    ranges = [
        (float(axis[seen][0]), float(axis[seen][-1]))
        for axis, seen in zip(axes, (section.any(axis=1), section.any(axis=0)), strict=True)
    ]
    return zone_heights(*axes, heights, *ranges)


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
def test_deformed_labels_have_lost_what_was_commanded(kind):
    """Counted before and after on labels of 1.5 mm: within half a voxel of each mean."""
    made, phantom = fractured(kind), fracturable().phantom
    before = counted(phantom.bodies, phantom.ct.affine, phantom.frames["T12"], "T12")
    after = counted(made.bodies, made.labels.affine, made.frame, "T12")
    for zone, loss in zip(ZONES, FractureSpec(kind=kind, loss=0.4).zone_losses, strict=True):
        assert after.of(zone) == pytest.approx(before.of(zone) * (1 - loss), abs=0.75), zone
    assert made.heights_mm.middle < made.healthy_heights_mm.middle


def carried(fracture, place_mm):
    """Where a place above the fracture goes."""
    local = fracture.frame.from_world(place_mm)
    return fracture.frame.to_world(fracture.below.back(fracture.above(local)))


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
def test_the_neighbour_above_keeps_its_heights(kind):
    made, phantom = fractured(kind), fracturable().phantom
    frame = phantom.frames["T11"]
    centre = carried(made.fracture, frame.centre_mm)
    axes = {
        name: carried(made.fracture, frame.centre_mm + getattr(frame, name)) - centre
        for name in ("posterior", "left", "cranial")
    }
    moved = VertebraFrame(centre_mm=centre, **axes)
    before = counted(phantom.bodies, phantom.ct.affine, frame, "T11")
    after = counted(made.bodies, made.labels.affine, moved, "T11")
    for zone in ZONES:
        assert after.of(zone) == pytest.approx(before.of(zone), abs=0.5), zone


def test_the_lower_neighbour_is_untouched():
    made, phantom = fractured("wedge"), fracturable().phantom
    lower = VERSE_IDS["L1"]
    assert np.array_equal(made.bodies == lower, phantom.bodies == lower)


def test_ct_follows_its_labels():
    made, phantom = fractured("crush"), fracturable().phantom
    assert np.array_equal(made.ct.affine, phantom.ct.affine)
    for level in ("T11", "T12"):
        number = VERSE_IDS[level]
        means = [volume.hu[bodies == number].mean() for volume, bodies in
                 ((phantom.ct, phantom.bodies), (made.ct, made.bodies))]  # fmt: skip
        assert means[1] == pytest.approx(means[0], abs=35.0)
    clear = ndimage.distance_transform_edt(made.labels.ids == 0) >= 2.0
    emptied = clear & (phantom.bodies == VERSE_IDS["T12"])
    assert emptied.sum() > 50
    assert made.ct.hu[emptied].mean() == pytest.approx(105.0, abs=25.0), "disc where bone was"


def test_what_comes_from_beyond_the_volume_is_air_without_a_label():
    made = fractured("crush")
    top = made.ct.hu[:, :, -1]
    assert (top == OUTSIDE_HU).mean() > 0.9
    assert not made.labels.ids[:, :, -1].any()


def test_labels_alone_are_enough_and_move_alike():
    spine = fracturable()
    labels = replace(spine.phantom.labels, bodies=spine.phantom.bodies > 0)
    made = virtual_fracture(
        LabelledSpine(labels=labels, bodies=spine.phantom.bodies),
        "T12", spine.height_map, FractureSpec(kind="crush", loss=0.4),
    )  # fmt: skip
    assert made.ct is None
    assert np.array_equal(made.labels.ids, fractured("crush").labels.ids)
    assert np.array_equal(made.labels.bodies, made.bodies > 0)


def test_no_loss_changes_nothing():
    made, phantom = fractured("crush", 0.0), fracturable().phantom
    assert np.array_equal(made.labels.ids, phantom.labels.ids)
    np.testing.assert_allclose(made.ct.hu, phantom.ct.hu, atol=0.1)


def test_zone_losses_follow_the_kind():
    np.testing.assert_allclose(
        FractureSpec(kind="biconcave", loss=0.5).zone_losses, [0.15, 0.5, 0.1]
    )
    assert FractureSpec(kind="wedge", loss=0.5).zone_losses.argmax() == 0


@pytest.mark.parametrize("loss", [-0.1, 0.7])
def test_impossible_losses_are_refused(loss):
    with pytest.raises(LamellaError, match="a loss from 0"):
        FractureSpec(kind="wedge", loss=loss)


def test_an_absent_level_and_other_shapes_are_refused():
    spine = fracturable()
    with pytest.raises(LamellaError, match="got 'T4'"):
        virtual_fracture(
            LabelledSpine(labels=spine.phantom.labels), "T4", spine.height_map, FractureSpec()
        )
    with pytest.raises(LamellaError, match="bodies of shape"):
        LabelledSpine(labels=spine.phantom.labels, bodies=spine.phantom.bodies[1:])
