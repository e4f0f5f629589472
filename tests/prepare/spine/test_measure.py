"""One body measured, or refused for a stated reason."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec
from lamella.prepare.spine.body import vertebral_bodies
from lamella.prepare.spine.curve import curve_of
from lamella.prepare.spine.measure import measure_body
from lamella.records.spine import VERSE_IDS, SpineLabels

NAMES = ("anterior", "middle", "posterior", "whole")


def measured(labels: SpineLabels, bodies: np.ndarray, level: str):
    return measure_body(labels, bodies, curve_of(labels, bodies), level)


def test_heights_of_a_phantom_from_whole_vertebrae(spine) -> None:
    bodies = vertebral_bodies(spine.labels)
    curve = curve_of(spine.labels, bodies)
    for level in spine.labels.levels:
        body = measure_body(spine.labels, bodies, curve, level)
        assert body.refused is None
        assert body.flags == ()
        for name in NAMES:
            miss = body.heights_mm.of(name) - spine.heights[level].of(name)
            assert abs(miss) < 0.75  # half a voxel of 1.5 mm
            assert abs(miss) < 4 * body.heights_sd_mm.of(name) + 0.05
        assert body.depth_mm == pytest.approx(spine.depths_mm[level], abs=1.5)
        assert body.width_mm == pytest.approx(spine.widths_mm[level], abs=1.5)
        assert body.frame.cranial @ spine.frames[level].cranial > np.cos(np.radians(3.0))
        voxels = float((spine.bodies == VERSE_IDS[level]).sum())
        assert body.volume_mm3 == pytest.approx(voxels * 1.5**3, rel=0.08)


def test_a_body_at_the_border_is_refused(spine) -> None:
    axis = int(np.abs(spine.labels.affine[2, :3]).argmax())
    rows = np.flatnonzero(np.moveaxis(spine.bodies, axis, 0).any(axis=(1, 2)))
    down = spine.labels.affine[2, axis] < 0
    cut = [slice(None)] * 3
    cut[axis] = slice(int(rows[0] + 8), None) if down else slice(None, int(rows[-1] - 7))
    ids = np.ascontiguousarray(spine.labels.ids[tuple(cut)])
    affine = spine.labels.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (cut[axis].start or 0)
    labels = SpineLabels(ids=ids, affine=affine)
    bodies = vertebral_bodies(labels)
    assert "border" in (measured(labels, bodies, "T12").refused or "")
    assert measured(labels, bodies, "L2").refused is None


def test_a_body_that_the_label_file_cut_is_refused(spine) -> None:
    """On the CT's larger grid nothing else tells that it is not low but cut."""
    labels = replace(spine.labels, cut=("T12",))
    refused = measured(labels, spine.bodies, "T12").refused
    assert refused == "the body is cut off by the label file's border"
    assert measured(labels, spine.bodies, "L2").refused is None


def test_fragments_are_refused(spine) -> None:
    bodies = spine.bodies.copy()
    voxels = np.argwhere(bodies == VERSE_IDS["T12"])
    bodies[tuple(voxels[voxels[:, 0] > voxels[:, 0].min() + 2].T)] = 0
    assert "fragment" in (measured(spine.labels, bodies, "T12").refused or "")


def test_thin_labels_and_holes_are_refused(spine) -> None:
    frame = spine.frames["L1"]
    where = np.argwhere(spine.bodies == VERSE_IDS["L1"])
    world = where @ spine.labels.affine[:3, :3].T + spine.labels.affine[:3, 3]
    told = frame.from_world(world)
    thin = spine.bodies.copy()
    thin[tuple(where[np.abs(told[:, 2]) > 1.4].T)] = 0
    assert measured(spine.labels, thin, "L1").refused is not None
    holed = spine.bodies.copy()
    holed[tuple(where[(np.abs(told[:, 0]) < 5.0) & (np.abs(told[:, 1]) < 12.0)].T)] = 0
    assert "incomplete" in (measured(spine.labels, holed, "L1").refused or "")


def with_low_l1(spacing_mm: tuple[float, float, float], orientation: str = "RAS") -> SpinePhantom:
    """An anterior height of less than 10 mm in L1."""
    made = spine_phantom(
        SpinePhantomSpec(
            levels=("T12", "L1", "L2"),
            spacing_mm=spacing_mm,
            seed=4,
            orientation=orientation,
            fractures={"L1": FractureSpec(kind="wedge", loss=0.6)},
        )
    )
    assert made.heights["L1"].anterior < 10.0
    return made


@pytest.mark.parametrize("orientation", ["RAS", "PIR"])
def test_voxels_that_are_wide_from_side_to_side_leave_a_low_body_its_height(orientation) -> None:
    """Sagittal slices of 5 mm: heights are told by the millimetre across them."""
    low = with_low_l1((5.0, 1.0, 1.0), orientation)
    body = measured(low.labels, low.bodies, "L1")
    assert body.refused is None
    assert body.heights_mm.anterior == pytest.approx(low.heights["L1"].anterior, abs=0.75)


def test_slices_too_thick_for_a_low_body_are_told() -> None:
    low = with_low_l1((1.0, 1.0, 5.0))
    assert "too thin for its voxels" in (measured(low.labels, low.bodies, "L1").refused or "")


def test_a_level_without_a_body_has_no_heights(spine) -> None:
    bodies = spine.bodies.copy()
    bodies[bodies == VERSE_IDS["L1"]] = 0
    body = measured(spine.labels, bodies, "L1")
    assert body.refused == "the label holds no vertebral body"
    assert np.isnan(body.heights_mm.whole)
    assert measured(spine.labels, bodies, "L5").refused == "no such label"


def test_the_sacrum_is_refused(spine) -> None:
    ids, bodies = spine.labels.ids.copy(), spine.bodies.copy()
    for volume in (ids, bodies):
        volume[volume == VERSE_IDS["L2"]] = VERSE_IDS["S1"]
    labels = SpineLabels(ids=ids, affine=spine.labels.affine)
    assert "sacrum" in (measured(labels, bodies, "S1").refused or "")
