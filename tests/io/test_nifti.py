"""NIfTI: which geometry counts, what is refused, and that writing loses nothing."""

import gzip

import nibabel as nib
import numpy as np
import pytest

import volumes
from lamella.io.nifti import SYNTHETIC_MARK, read_nifti, write_nifti
from lamella.records import LamellaError


def header_of(**codes):
    header = nib.Nifti1Header()
    header.set_data_shape((24, 30, 64))
    header.set_sform(volumes.affine(), codes.get("sform", 0))
    header.set_qform(codes.get("qform_affine", volumes.affine()), codes.get("qform", 0))
    return header


def saved(path, values, affine, header=None):
    nib.save(nib.Nifti1Image(values, affine, header), path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_write_then_read_is_identity(tmp_path, name, order):
    values = np.array(volumes.hounsfield(), order=order)
    write_nifti(tmp_path / name, values, volumes.affine())
    raw = read_nifti(tmp_path / name)
    assert raw.values.dtype == np.int16
    np.testing.assert_array_equal(raw.values, values)
    np.testing.assert_allclose(raw.affine, volumes.affine(), atol=1e-4)
    assert raw.warnings == ()


def test_both_forms_are_written_and_the_same_values_give_the_same_bytes(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, volumes.ids(), volumes.affine(), SYNTHETIC_MARK)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert header.get_data_dtype() == np.uint8
    for affine, form in (header.get_sform(coded=True), header.get_qform(coded=True)):
        assert form == 1
        np.testing.assert_allclose(affine, volumes.affine(), atol=1e-4)
    assert header["descrip"].item() == b"SYNTHETIC - research use only"
    assert header.get_xyzt_units()[0] == "mm"
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_sheared_grid_keeps_its_sform_and_gets_no_wrong_qform(tmp_path):
    sheared = volumes.affine()
    sheared[1, 2] = 0.4
    write_nifti(tmp_path / "a.nii", volumes.ids(), sheared)
    header = nib.load(tmp_path / "a.nii").header
    assert header.get_qform(coded=True)[0] is None
    assert header.get_zooms() == pytest.approx((2.0, 2.0, np.hypot(2.0, 0.4)))
    np.testing.assert_allclose(read_nifti(tmp_path / "a.nii").affine, sheared, atol=1e-4)


def test_the_sform_wins_and_a_qform_elsewhere_is_told(tmp_path):
    moved = volumes.affine()
    moved[0, 3] += 30.0
    header = header_of(sform=2, qform=1, qform_affine=moved)
    path = tmp_path / "a.nii"
    image = nib.Nifti1Image(volumes.hounsfield(), None, header)
    nib.save(image, path)
    raw = read_nifti(path)
    np.testing.assert_allclose(raw.affine, volumes.affine(), atol=1e-4)
    assert raw.warnings == ("the header's sform and qform disagree: the sform is used",)


def test_a_qform_alone_is_enough_and_neither_is_refused(tmp_path):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(volumes.hounsfield(), None, header_of(qform=1)), path)
    np.testing.assert_allclose(read_nifti(path).affine, volumes.affine(), atol=1e-4)
    nib.save(nib.Nifti1Image(volumes.hounsfield(), None, header_of()), path)
    with pytest.raises(
        LamellaError, match="expected an sform or a qform in the header, got neither"
    ):
        read_nifti(path)


def test_slope_and_intercept_are_applied(tmp_path):
    header = header_of(sform=1)
    header.set_slope_inter(2.0, -1024.0)
    image = nib.Nifti1Image(np.full((24, 30, 64), 500.0), None, header)
    image.header.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii")
    raw = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(raw.values, 500.0, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "dtype", "match"),
    [
        ((8, 9, 10, 3), np.int16, "expected a volume of 3 dimensions, got 8 x 9 x 10 x 3"),
        ((8, 9), np.int16, "got 8 x 9"),
        ((8, 9, 10), np.complex64, "got colour"),
    ],
)
def test_other_than_one_grey_volume_is_refused(tmp_path, shape, dtype, match):
    path = saved(tmp_path / "a.nii", np.zeros(shape, dtype), volumes.affine())
    with pytest.raises(LamellaError, match=match):
        read_nifti(path)


def test_one_more_axis_of_length_one_is_no_series(tmp_path):
    path = saved(tmp_path / "a.nii.gz", volumes.hounsfield()[..., None], volumes.affine())
    np.testing.assert_array_equal(read_nifti(path).values, volumes.hounsfield())


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_truncated_files_are_refused(tmp_path, name, kept):
    path = tmp_path / name
    write_nifti(path, volumes.hounsfield(), volumes.affine())
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(LamellaError, match="damaged"):
        read_nifti(path)


def test_a_header_that_claims_a_hundred_gigabytes_is_refused(tmp_path):
    header = header_of(sform=1)
    header.set_data_shape((30000, 30000, 60))
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    with gzip.open(tmp_path / "a.nii.gz", "wb") as file:
        file.write(header.binaryblock + bytes(100))
    with pytest.raises(LamellaError, match="more than 600 million"):
        read_nifti(tmp_path / "a.nii.gz")


def test_text_is_no_nifti(tmp_path):
    (tmp_path / "a.nii").write_text("Dear colleague, " * 100)
    with pytest.raises(LamellaError, match="expected a NIfTI volume"):
        read_nifti(tmp_path / "a.nii")


def test_only_nifti_names_are_written_and_nothing_is_left_behind(tmp_path):
    with pytest.raises(LamellaError, match="expected a name that ends in"):
        write_nifti(tmp_path / "a.nrrd", volumes.ids(), volumes.affine())
    with pytest.raises(LamellaError, match="cannot be written"):
        write_nifti(tmp_path / "none" / "a.nii", volumes.ids(), volumes.affine())
    assert list(tmp_path.iterdir()) == []
