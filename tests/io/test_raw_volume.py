"""Bounds checked before anything is read, and the narrowest type that holds the values."""

import numpy as np
import pytest

from lamella.io.raw_volume import (
    RawVolume,
    refuse_spacing,
    refuse_unusable_volume,
    refuse_voxels,
    rescaled,
    three_dimensional,
)
from lamella.records import LamellaError


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept", "expected"),
    [
        (np.int16, 1.0, 0.0, np.int16),
        (np.uint8, 1.0, 0.0, np.uint8),
        (np.uint16, 1.0, -1024.0, np.int16),
        (np.int32, 1.0, 0.0, np.int16),
        (np.int32, 1000.0, 0.0, np.int32),
        (np.int16, 0.5, 0.0, np.float32),
        (np.float64, 1.0, 0.0, np.float32),
        (">i2", 1.0, 0.0, np.int16),
    ],
)
def test_values_are_rescaled_into_the_narrowest_type(dtype, slope, intercept, expected):
    stored = np.arange(8 * 9 * 10).reshape(8, 9, 10, order="F").astype(dtype)
    values = rescaled(stored, slope, intercept)
    assert values.dtype == expected
    np.testing.assert_array_equal(values, slope * stored.astype(np.float64) + intercept)


def test_the_ends_of_int16_are_kept_and_what_lies_beyond_is_not_wrapped():
    stored = np.array([-32768, 32767], np.int32).reshape(1, 1, 2)
    assert rescaled(stored, 1.0, 0.0).dtype == np.int16
    beyond = rescaled(stored, 1.0, 1.0)
    assert beyond.dtype == np.int32
    assert beyond.max() == 32768


def test_trailing_axes_of_length_one_are_dropped_and_others_refused():
    assert three_dimensional(np.zeros((4, 5, 6, 1, 1))).shape == (4, 5, 6)
    with pytest.raises(LamellaError, match="expected a volume of 3 dimensions, got 4 x 5 x 6 x 2"):
        three_dimensional(np.zeros((4, 5, 6, 2)))
    with pytest.raises(LamellaError, match="got 4 x 5"):
        three_dimensional(np.zeros((4, 5)))


def test_claimed_sizes_are_refused_before_anything_is_allocated():
    refuse_voxels((512, 512, 2000))
    with pytest.raises(LamellaError, match="more than 600 million"):
        refuse_voxels((30000, 30000, 30000))
    with pytest.raises(LamellaError, match="damaged"):
        refuse_voxels((512, 0, 10))


def test_voxels_in_metres_or_micrometres_are_refused():
    refuse_spacing((0.7, 0.7, 1.0))
    for spacing_mm in ((0.0007, 0.0007, 0.001), (700.0, 700.0, 1000.0)):
        with pytest.raises(LamellaError, match="write the header in millimetres"):
            refuse_spacing(spacing_mm)


def test_a_singular_geometry_is_refused():
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    with pytest.raises(LamellaError, match="singular"):
        RawVolume(values=np.zeros((8, 8, 8)), affine=flat)


def test_files_that_cannot_be_volumes(tmp_path):
    empty = tmp_path / "a.nii"
    empty.write_bytes(b"")
    for path, match in [
        (tmp_path, "got a folder"),
        (tmp_path / "none.nii", "no such file"),
        (empty, "is empty"),
    ]:
        with pytest.raises(LamellaError, match=match):
            refuse_unusable_volume(path)
