"""The reader is told by the suffix; everything else is refused with the formats there are."""

import numpy as np
import pytest

import volumes
from lamella.io.nifti import write_nifti
from lamella.io.volume_file import read_raw, starts_as_dicom
from lamella.records import LamellaError


def test_the_same_volume_from_both_readers(tmp_path):
    itk = pytest.importorskip("SimpleITK", reason="the extra itk is not installed")
    write_nifti(tmp_path / "a.nii.gz", volumes.hounsfield(), volumes.affine())
    itk.WriteImage(itk.ReadImage(str(tmp_path / "a.nii.gz")), str(tmp_path / "a.nrrd"))
    first, second = read_raw(tmp_path / "a.nii.gz"), read_raw(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_allclose(first.affine, second.affine, atol=1e-4)


def test_dicom_is_told_by_content(tmp_path):
    path = volumes.written(volumes.series()[:1], tmp_path) / "IM0000.dcm"
    path = path.rename(tmp_path / "a.nii")
    assert starts_as_dicom(path)
    write_nifti(tmp_path / "b.nii", volumes.ids(), volumes.affine())
    assert not starts_as_dicom(tmp_path / "b.nii")


@pytest.mark.parametrize("name", ["a.png", "a", "a.npy", "a.hdr"])
def test_other_formats_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(1000))
    with pytest.raises(LamellaError, match=r"expected \.nii, \.nii\.gz, \.nrrd"):
        read_raw(tmp_path / name)
