"""NRRD and MetaImage: the same voxels in the same places as NIfTI."""

import sys

import numpy as np
import pytest

import volumes
from lamella.io.metaimage import read_metaimage
from lamella.records import LamellaError

itk = pytest.importorskip("SimpleITK", reason="the extra itk is not installed")


def saved(path, values, affine=None):
    affine = volumes.affine() if affine is None else affine
    image = itk.GetImageFromArray(np.ascontiguousarray(values.T))
    image.SetSpacing([float(side) for side in np.linalg.norm(affine[:3, :3], axis=0)])
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3, :3]
    image.SetDirection((lps / np.linalg.norm(lps, axis=0)).ravel().tolist())
    image.SetOrigin((np.diag([-1.0, -1.0, 1.0]) @ affine[:3, 3]).tolist())
    itk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nhdr", ".mhd"])
def test_values_and_geometry_survive(tmp_path, suffix):
    turned = volumes.affine()[:, [2, 0, 1, 3]]
    values = np.transpose(volumes.hounsfield(), (2, 0, 1))
    raw = read_metaimage(saved(tmp_path / f"a{suffix}", values, turned))
    assert raw.values.dtype == np.int16
    np.testing.assert_array_equal(raw.values, values)
    np.testing.assert_allclose(raw.affine, turned, atol=1e-9)


def test_an_nrrd_that_counts_in_ras_lies_in_the_same_place(tmp_path):
    path = tmp_path / "a.nrrd"
    values = np.arange(8 * 9 * 10, dtype="<i2").reshape(8, 9, 10)
    text = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 8 9 10\n"
        "space directions: (2,0,0) (0,3,0) (0,0,4)\nkinds: domain domain domain\n"
        "endian: little\nencoding: raw\nspace origin: (5,6,7)\n\n"
    )
    path.write_bytes(text.encode() + values.tobytes("F"))
    raw = read_metaimage(path)
    np.testing.assert_allclose(raw.affine[:3, 3], (5, 6, 7))
    np.testing.assert_allclose(np.diag(raw.affine), (2, 3, 4, 1))
    np.testing.assert_array_equal(raw.values, values)


def test_a_header_without_orientation_is_refused(tmp_path):
    path = tmp_path / "a.nrrd"
    text = "NRRD0004\ntype: short\ndimension: 3\nsizes: 8 9 10\nendian: little\nencoding: raw\n\n"
    path.write_bytes(text.encode() + bytes(8 * 9 * 10 * 2))
    with pytest.raises(LamellaError, match="expected the orientation in the header, got none"):
        read_metaimage(path)


def test_damaged_and_coloured_volumes_are_refused_quietly(tmp_path, capfd):
    path = saved(tmp_path / "a.mha", volumes.hounsfield())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(LamellaError, match="damaged"):
        read_metaimage(path)
    colour = itk.GetImageFromArray(np.zeros((10, 9, 8, 3), np.uint8), isVector=True)
    itk.WriteImage(colour, str(tmp_path / "b.mha"))
    with pytest.raises(LamellaError, match="3 values"):
        read_metaimage(tmp_path / "b.mha")
    assert capfd.readouterr() == ("", "")


def test_without_simpleitk_one_line_says_what_to_install(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.mha", volumes.ids())
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(LamellaError, match=r"install lamella\[itk\] or convert") as refusal:
        read_metaimage(path)
    assert "\n" not in str(refusal.value)
