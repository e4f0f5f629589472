"""Labels on the CT's grid: the same place in the world, or refused."""

from dataclasses import replace

import numpy as np
import pytest

import volumes
from lamella.io.label_grid import Grid, is_same_grid, on_grid, resampled
from lamella.io.volume import read_ct, read_labels
from lamella.records import CTVolume, LamellaError, SpineLabels

TURNED = "the labels were turned or cropped to the CT's grid"


def turned(values, affine, axes, reversed_axes=()):
    """The same labels with axes exchanged and reversed."""
    made, step = np.transpose(values, axes), np.eye(4)
    step[:3, :3] = np.eye(3)[:, axes]
    moved = affine @ step
    for axis in reversed_axes:
        made = np.flip(made, axis)
        moved = moved.copy()
        moved[:3, 3] += moved[:3, axis] * (made.shape[axis] - 1)
        moved[:3, axis] *= -1
    return np.ascontiguousarray(made), moved


def test_on_the_same_grid_nothing_happens():
    labels = volumes.labels()
    moved = on_grid(labels, volumes.ct())
    assert moved.ids is labels.ids
    assert moved.warnings == ()


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("reversed_axes", [(0,), (0, 2), (0, 1, 2)])
def test_any_orientation_comes_back_voxel_for_voxel(axes, reversed_axes):
    ids, affine = turned(volumes.ids(), volumes.affine(), axes, reversed_axes)
    bodies = ids == 20
    moved = on_grid(SpineLabels(ids=ids, affine=affine, bodies=bodies), volumes.ct())
    np.testing.assert_array_equal(moved.ids, volumes.ids())
    np.testing.assert_array_equal(moved.bodies, volumes.ids() == 20)
    np.testing.assert_array_equal(moved.affine, volumes.affine())
    assert moved.warnings == (TURNED,)


def test_a_crop_returns_to_its_place():
    part = (slice(4, 20), slice(5, 25), slice(6, 60))
    affine = volumes.affine()
    affine[:3, 3] += affine[:3, :3] @ [4, 5, 6]
    moved = on_grid(SpineLabels(ids=volumes.ids()[part], affine=affine), volumes.ct())
    np.testing.assert_array_equal(moved.ids, volumes.ids())
    assert moved.warnings == (TURNED,)


def cropped(part, bodies=None):
    """Labels of a part of the volume, in their place."""
    affine = volumes.affine()
    affine[:3, 3] += affine[:3, :3] @ [side.start or 0 for side in part]
    return SpineLabels(ids=volumes.ids()[part], affine=affine, bodies=bodies)


WHOLE = slice(None)


@pytest.mark.parametrize(
    ("part", "cut"),
    [
        ((WHOLE, WHOLE, slice(0, 50)), ("T12",)),
        ((WHOLE, WHOLE, slice(12, None)), ("L2",)),
        ((WHOLE, WHOLE, slice(12, 50)), ("T12", "L2")),
        ((WHOLE, slice(0, 14), WHOLE), ("T12", "L1", "L2")),
        ((WHOLE, WHOLE, slice(6, 58)), ()),
    ],
    ids=["above", "below", "both", "behind", "with a margin"],
)
def test_what_the_border_of_the_label_file_cuts_is_told_on_the_ct_s_grid(part, cut):
    assert on_grid(cropped(part), volumes.ct()).cut == cut


def test_what_was_known_to_be_cut_stays_so():
    labels = replace(cropped((WHOLE, WHOLE, slice(0, 50))), cut=("L2",))
    assert on_grid(labels, volumes.ct()).cut == ("T12", "L2")


def vertebra_with_process(size_mm):
    """A body of 40 mm with a process behind it that reaches 20 mm further up."""
    ids = np.zeros((40, 90, 80), np.uint8)
    ids[5:35, 45:85, 20:50] = 20
    ids[18:22, 5:45, 30:40] = 20
    ids[18:22, 5:15, 30 : 50 + size_mm] = 20
    return ids


def test_a_process_that_leaves_the_label_file_cuts_no_body():
    hu = np.full((40, 90, 100), 200, np.int16)
    ct = CTVolume(hu=hu, affine=np.diag([1.0, 1.0, 1.0, 1.0]))
    ids = vertebra_with_process(20)
    for top, cut in ((60, ()), (45, ("L1",))):
        labels = SpineLabels(ids=ids[:, :, :top], affine=np.eye(4))
        assert on_grid(labels, ct).cut == cut


def test_bodies_that_are_known_decide():
    hu = np.full((40, 90, 100), 200, np.int16)
    ids = vertebra_with_process(20)[:, :86, :60]
    bodies = np.zeros(ids.shape, bool)
    for stop, cut in ((85, ()), (86, ("L1",))):
        bodies[5:35, 45:stop, 20:50] = True
        ids[5:35, 45:stop, 20:50] = 20
        labels = SpineLabels(ids=ids.copy(), affine=np.eye(4), bodies=bodies.copy())
        assert on_grid(labels, CTVolume(hu=hu, affine=np.eye(4))).cut == cut


def test_another_spacing_is_resampled_with_a_warning():
    """On a grid twice as fine, 2 x 2 x 2 voxels hold each number; half a voxel is minded."""
    fine = volumes.ids().repeat(2, 0).repeat(2, 1).repeat(2, 2)
    affine = volumes.affine() @ np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] -= affine[:3, :3] @ [0.499, 0.499, 0.499]
    moved = on_grid(SpineLabels(ids=fine, affine=affine), volumes.ct())
    np.testing.assert_array_equal(moved.ids, volumes.ids())
    assert moved.warnings == (
        "the labels were resampled from 1 x 1 x 1 mm to the CT's grid of 2 x 2 x 2 mm",
    )


def test_every_voxel_takes_the_number_at_its_place_on_an_oblique_grid():
    angle = 0.2
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ids, affine = volumes.ids(), rotation @ volumes.affine()
    grid = Grid(shape=(20, 22, 40), affine=volumes.affine() @ np.diag([1.3, 1.2, 1.5, 1.0]))
    out = resampled(ids, affine, grid)
    back = np.linalg.solve(affine, grid.affine)
    expected = np.zeros(grid.shape, np.uint8)
    for place in np.ndindex(*grid.shape):
        found = np.floor(back[:3, :3] @ place + back[:3, 3] + 0.5).astype(int)
        if (found >= 0).all() and (found < ids.shape).all():
            expected[place] = ids[tuple(found)]
    assert (expected > 0).sum() > 1000
    assert (out != expected).mean() < 1e-3


def test_labels_up_to_the_rim_keep_their_outer_voxels():
    ids = np.full((8, 8, 8), 20, np.uint8)
    grid = Grid(shape=(16, 16, 16), affine=np.diag([0.5, 0.5, 0.5, 1.0]))
    shifted = np.eye(4)
    shifted[:3, 3] = 0.25
    assert (resampled(ids, shifted, grid) == 20).all()


def test_labels_elsewhere_are_refused():
    far = volumes.affine()
    far[2, 3] += 500.0
    with pytest.raises(LamellaError, match="expected labels that lie in the CT"):
        on_grid(replace(volumes.labels(), affine=far), volumes.ct())


def test_labels_partly_outside_are_told_with_the_levels_lost():
    """Without its lowest 28 slices the CT lacks the 13 of L2 and 3 of the 13 of L1."""
    lower = volumes.affine()
    lower[2, 3] += 2.0 * 28
    moved = on_grid(volumes.labels(), CTVolume(hu=volumes.hounsfield()[:, :, 28:], affine=lower))
    np.testing.assert_array_equal(moved.ids, volumes.ids()[:, :, 28:])
    assert moved.warnings == (
        TURNED,
        f"{100 * (13 + 3) / 39:.0f} % of the labelled voxels lie outside the CT",
        "L2 lies outside the CT",
    )


def test_labels_of_another_scan_on_the_same_grid_are_refused():
    ct = volumes.ct()
    ct.hu[volumes.ids() > 0] = -700
    with pytest.raises(LamellaError, match="expected labels on bone, got a mean of -700 HU"):
        on_grid(volumes.labels(), ct)
    ct.hu[volumes.ids() > 0] = 45
    assert on_grid(volumes.labels(), ct).warnings == (
        "the mean inside the labels is 45 HU, little for bone",
    )


def test_grids_are_the_same_to_a_fiftieth_of_a_voxel():
    near, far = volumes.affine(), volumes.affine()
    near[0, 3] += 0.03
    far[0, 3] += 0.05
    given = Grid(shape=volumes.SHAPE, affine=volumes.affine())
    assert is_same_grid(given, Grid(shape=volumes.SHAPE, affine=near))
    assert not is_same_grid(given, Grid(shape=volumes.SHAPE, affine=far))
    assert not is_same_grid(given, Grid(shape=(24, 30, 63), affine=volumes.affine()))


@pytest.mark.parametrize(
    ("ct", "labels", "levels"),
    [
        ("dicom_series", "dicom_series_labels.nii.gz", ("T11", "T12")),
        (
            "abdomen_3mm/ct.nii.gz",
            "abdomen_3mm/totalseg.nii.gz",
            ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"),
        ),
        ("thorax_1p5mm/ct.nii.gz", "thorax_1p5mm/vertebrae_T12.nii.gz", ("T12",)),
        ("crop_l3_1p5mm/ct.nii.gz", "crop_l3_1p5mm/vertebrae.nii.gz", ("L2", "L3", "L4")),
    ],
)
def test_real_labels_lie_on_bone(lamella_data, ct, labels, levels):
    """Flipped once more, the same labels miss the bone: orientation is tested, not assumed."""
    spine = lamella_data / "spine"
    volume, found = read_ct(spine / ct), read_labels(spine / labels)
    moved = on_grid(found, volume)
    assert moved.levels == levels
    inside = float(volume.hu[moved.ids > 0].mean())
    assert inside > 100.0
    flipped = float(volume.hu[np.flip(moved.ids, 1) > 0].mean())
    assert flipped < inside - 50.0


def test_labels_of_another_real_scan_are_refused(lamella_data):
    spine = lamella_data / "spine"
    ct = read_ct(spine / "abdomen_3mm" / "ct.nii.gz")
    with pytest.raises(LamellaError, match="expected labels that lie in the CT"):
        on_grid(read_labels(spine / "healthivert_0007" / "0007_msk.nii.gz"), ct)
