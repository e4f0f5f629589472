"""Which voxels a supplied mask says are vertebral body."""

import numpy as np
import pytest

import volumes
from lamella.io.body_masks import body_voxels, with_bodies
from lamella.io.raw_volume import RawVolume
from lamella.io.volume import read_labels
from lamella.records import VERSE_IDS, LamellaError


def front_half():
    made = volumes.ids() > 0
    made[:, 14:] = False
    return made


def test_one_value_marks_the_bodies():
    np.testing.assert_array_equal(body_voxels(front_half().astype(np.uint8)), front_half())
    np.testing.assert_array_equal(body_voxels(255.0 * front_half()), front_half())


def test_discs_of_the_two_valued_mask_are_no_bodies():
    values = np.where(front_half(), 1, 0)
    values[:, :, ::7] = 2
    np.testing.assert_array_equal(body_voxels(values), values == 1)


def test_border_and_inside_of_sub_regions_are_the_body():
    values = np.where(volumes.ids() > 0, 41, 0)
    values[front_half()] = 50
    values[6:8] = np.where(values[6:8] == 50, 49, values[6:8])
    np.testing.assert_array_equal(body_voxels(values), front_half())


@pytest.mark.parametrize(
    "values", [(0, 1, 2, 3), (0, 41, 42), (0, 50, 60), (0, 0, 0), (0, 0.5, 1), (0, 41, 41)]
)
def test_other_masks_are_refused(values):
    with pytest.raises(LamellaError, match="expected a body mask of one value or sub-regions"):
        body_voxels(np.array(values).reshape(1, 1, -1))


def test_bodies_are_kept_inside_vertebrae_and_on_any_grid():
    wide = front_half() | np.roll(front_half(), 8, axis=0)
    mask = RawVolume(values=wide.astype(np.uint8)[::-1], affine=volumes.affine() @ _reversed())
    labels = with_bodies(volumes.labels(), mask)
    np.testing.assert_array_equal(labels.bodies, front_half() | (wide & (volumes.ids() > 0)))
    assert labels.warnings == ("the body mask was resampled to the labels' grid",)


def _reversed():
    made = np.diag([-1.0, 1.0, 1.0, 1.0])
    made[0, 3] = volumes.SHAPE[0] - 1
    return made


def test_a_vertebra_without_body_is_named():
    partial = front_half() & (volumes.ids() != VERSE_IDS["L1"])
    mask = RawVolume(values=partial.astype(np.uint8), affine=volumes.affine())
    assert with_bodies(volumes.labels(), mask).warnings == ("the body mask marks no body in L1",)


def test_a_mask_of_another_scan_is_refused():
    mask = RawVolume(values=(volumes.ids() == 0).astype(np.uint8), affine=volumes.affine())
    with pytest.raises(LamellaError, match="expected bodies inside the labelled vertebrae"):
        with_bodies(volumes.labels(), mask)


@pytest.mark.parametrize(
    ("labels", "bodies", "share", "bare"),
    [
        ("crop_l3_1p5mm/vertebrae.nii.gz", "crop_l3_1p5mm/subregions.nii.gz", (0.6, 0.7), ()),
        (
            "abdomen_3mm/totalseg.nii.gz",
            "abdomen_3mm/totalseg_vertebrae_body.nii.gz",
            (0.55, 0.75),
            ("T11",),
        ),
    ],
)
def test_real_bodies_lie_in_front_of_their_vertebrae(lamella_data, labels, bodies, share, bare):
    """Of T11 the abdomen holds the tips of its processes only, hence no body."""
    spine = lamella_data / "spine"
    read = read_labels(spine / labels, bodies=spine / bodies)
    assert share[0] < read.bodies.sum() / (read.ids > 0).sum() < share[1]
    assert read.warnings == tuple(f"the body mask marks no body in {level}" for level in bare)
    for level in set(read.levels) - set(bare):
        number = VERSE_IDS[level]
        body = np.argwhere(read.bodies & (read.ids == number)) @ read.affine[:3, :3].T
        rest = np.argwhere(~read.bodies & (read.ids == number)) @ read.affine[:3, :3].T
        assert body[:, 1].mean() > rest[:, 1].mean() + 15.0
