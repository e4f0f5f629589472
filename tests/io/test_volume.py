"""CTs in and volumes out: one answer for every format, one line for every fault."""

import zipfile

import nibabel as nib
import numpy as np
import pytest

import volumes
from lamella import io
from lamella.io.volume import read_ct, read_labels, write_volume
from lamella.records import CTVolume, LamellaError, SpineLabels


def saved(path, values, affine=None):
    nib.save(nib.Nifti1Image(values, volumes.affine() if affine is None else affine), path)
    return path


def in_world(ct, place_mm):
    index = np.rint(np.linalg.solve(ct.affine, [*place_mm, 1.0])[:3]).astype(int)
    return int(ct.hu[tuple(index)])


def test_every_format_tells_the_same_hu_at_the_same_place(tmp_path):
    folder = volumes.written(volumes.series(), tmp_path / "series")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    write_volume(volumes.ct(), tmp_path / "a.nii.gz")
    cts = [read_ct(path) for path in (folder, tmp_path / "a.zip", tmp_path / "a.nii.gz")]
    place_mm = volumes.affine() @ [10, 12, 30, 1]
    assert {in_world(ct, place_mm[:3]) for ct in cts} == {int(volumes.hounsfield()[10, 12, 30])}
    assert [ct.source for ct in cts] == ["series", "a.zip", "a.nii.gz"]
    assert {ct.hu.dtype for ct in cts} == {np.dtype(np.int16)}


def test_write_then_read_is_identity(tmp_path):
    write_volume(volumes.ct(), tmp_path / "ct.nii.gz")
    write_volume(volumes.labels(), tmp_path / "labels.nii.gz")
    ct, labels = read_ct(tmp_path / "ct.nii.gz"), read_labels(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(ct.hu, volumes.hounsfield())
    np.testing.assert_array_equal(labels.ids, volumes.ids())
    for record in (ct, labels):
        np.testing.assert_allclose(record.affine, volumes.affine(), atol=1e-4)


def test_floats_are_rounded_and_clipped(tmp_path):
    hu = volumes.hounsfield().astype(np.float32) + np.float32(0.4)
    hu[0, 0, :3] = (-2.6, 1e6, -1e6)
    write_volume(CTVolume(hu=hu, affine=volumes.affine()), tmp_path / "a.nii")
    stored = np.asanyarray(nib.load(tmp_path / "a.nii").dataobj)
    assert stored.dtype == np.int16
    assert stored[0, 0, :3].tolist() == [-3, 32767, -32768]
    np.testing.assert_array_equal(stored[1:], volumes.hounsfield()[1:])


def test_labels_of_another_integer_type_are_written_as_uint8(tmp_path):
    labels = SpineLabels(ids=volumes.ids().astype(np.int64), affine=volumes.affine())
    write_volume(labels, tmp_path / "a.nii")
    stored = nib.load(tmp_path / "a.nii").dataobj
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, volumes.ids())


@pytest.mark.parametrize("record", [volumes.ct(), volumes.labels()], ids=["ct", "labels"])
def test_synthetic_volumes_say_so(tmp_path, record):
    write_volume(record, tmp_path / "a.nii.gz", synthetic=True)
    write_volume(record, tmp_path / "b.nii.gz")
    told = [nib.load(tmp_path / name).header["descrip"].item() for name in ("a.nii.gz", "b.nii.gz")]
    assert told == [b"Lamella, SYNTHETIC - research use only", b"Lamella, research use only"]


def test_nothing_is_overwritten_without_force(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_volume(volumes.labels(), path)
    before = path.read_bytes()
    with pytest.raises(LamellaError, match="exists already"):
        write_volume(volumes.ct(), path)
    assert path.read_bytes() == before
    write_volume(volumes.ct(), path, force=True)
    np.testing.assert_array_equal(read_ct(path).hu, volumes.hounsfield())
    assert [file.name for file in tmp_path.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (volumes.ids(), "got a label map"),
        (volumes.hounsfield() / np.float32(1000), "got values scaled|attenuation|normalised"),
        (np.where(volumes.ids() > 0, np.nan, volumes.hounsfield()), "NaN or infinite"),
        (np.zeros((8, 9, 10, 2), np.int16), "expected a volume of 3 dimensions"),
        (volumes.hounsfield()[8:15], "at least 8 voxels"),
    ],
)
def test_one_line_names_the_file_and_the_fault(tmp_path, values, match):
    path = saved(tmp_path / "ct.nii.gz", values)
    with pytest.raises(LamellaError, match=match) as refusal:
        read_ct(path)
    message = str(refusal.value)
    assert message.startswith("ct.nii.gz: ")
    assert "\n" not in message
    assert str(tmp_path) not in message


def test_a_singular_geometry_is_refused(tmp_path):
    flat = volumes.affine()
    flat[2] = 0.0
    image = nib.Nifti1Image(volumes.hounsfield(), volumes.affine())
    image.header.set_sform(flat, 1)
    image.header.set_qform(None)
    nib.Nifti1Image(volumes.hounsfield(), None, image.header).to_filename(tmp_path / "a.nii")
    with pytest.raises(LamellaError, match=r"a\.nii: the affine is singular"):
        read_ct(tmp_path / "a.nii")


def test_metres_for_millimetres_are_refused(tmp_path):
    path = saved(tmp_path / "a.nii", volumes.hounsfield(), volumes.affine() / 1000.0)
    with pytest.raises(LamellaError, match="write the header in millimetres"):
        read_ct(path)


def test_one_dicom_file_and_no_file_are_refused(tmp_path):
    path = volumes.written(volumes.series()[:1], tmp_path) / "IM0000.dcm"
    with pytest.raises(LamellaError, match="expected a CT series, got one DICOM file"):
        read_ct(path)
    with pytest.raises(LamellaError, match="no such file"):
        read_ct(tmp_path / "none.nii")


def test_whole_numbers_beyond_int16_become_float(tmp_path):
    values = volumes.hounsfield().astype(np.int32)
    values[5, 5, 5] = 40000
    ct = read_ct(saved(tmp_path / "a.nii", values))
    assert (ct.hu.dtype, float(ct.hu[5, 5, 5])) == (np.dtype(np.float32), 40000.0)


def test_the_package_offers_the_three_verbs():
    assert (io.read_ct, io.read_labels, io.write_volume) == (read_ct, read_labels, write_volume)
    with pytest.raises(AttributeError):
        io.read_mri  # noqa: B018


@pytest.mark.parametrize(
    ("name", "spacing_mm", "axes"),
    [
        ("abdomen_3mm/ct.nii.gz", (3.0, 3.0, 3.0), "RAS"),
        ("thorax_1p5mm/ct.nii.gz", (1.5, 1.5, 1.5), "LPS"),
        ("crop_l3_1p5mm/ct.nii.gz", (1.5, 1.5, 1.5), "PIR"),
        ("dicom_series", (0.9765625, 0.9765625, 2.0), "LPS"),
    ],
)
def test_real_cts(lamella_data, name, spacing_mm, axes):
    ct = read_ct(lamella_data / "spine" / name)
    np.testing.assert_allclose(ct.spacing_mm, spacing_mm, rtol=1e-5)
    assert "".join(nib.aff2axcodes(ct.affine)) == axes
    assert (ct.hu.dtype, ct.warnings) == (np.dtype(np.int16), ())


@pytest.mark.parametrize(
    "name",
    [
        "abdomen_3mm/totalseg.nii.gz",
        "abdomen_3mm/totalseg_vertebrae_body.nii.gz",
        "thorax_1p5mm/vertebrae_T12.nii.gz",
        "crop_l3_1p5mm/vertebrae.nii.gz",
        "crop_l3_1p5mm/subregions.nii.gz",
        "dicom_series_labels.nii.gz",
        "healthivert_0007/0007_msk.nii.gz",
    ],
)
def test_real_labels_given_as_the_ct_are_refused(lamella_data, name):
    with pytest.raises(LamellaError, match="got a label map"):
        read_ct(lamella_data / "spine" / name)
