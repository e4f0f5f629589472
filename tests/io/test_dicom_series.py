"""A CT series as a volume: values, order, padding, the choice of a series, and no identifiers."""

import zipfile

import numpy as np
import pydicom
import pytest

import volumes
from lamella.io.dicom_series import read_series
from lamella.records import LamellaError

SYNTAXES = [
    "ct_LittleEndianExplicit",
    "ct_LittleEndianImplicit",
    "ct_BigEndianExplicit",
    "ct_DeflatedExplicit",
    "ct_RLELossless",
    "ct_JPEGLSLossless",
    "ct_JPEGProcess14SV1",
    "ct_JPEGProcess14Transfer",
    "ct_JPEG2000LosslessOnly",
]


@pytest.fixture
def folder(tmp_path):
    return volumes.written(volumes.series(), tmp_path / "thorax")


def test_values_places_and_name(folder):
    series = read_series(folder)
    np.testing.assert_array_equal(series.volume.values, volumes.hounsfield().clip(-1024))
    np.testing.assert_allclose(series.volume.affine, volumes.affine(), atol=1e-9)
    assert series.volume.values.dtype == np.int16
    assert (series.source, series.volume.warnings) == ("thorax", ())


def test_a_zip_gives_the_same_volume(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"export/{file.name}")
    series = read_series(tmp_path / "a.zip")
    np.testing.assert_array_equal(series.volume.values, read_series(folder).volume.values)
    assert series.source == "a.zip"


def test_every_slice_has_its_own_rescale(tmp_path):
    slices = volumes.series()
    for dataset in slices[::2]:
        dataset.RescaleSlope, dataset.RescaleIntercept = 2, -1024
        stored = np.frombuffer(dataset.PixelData, np.uint16)
        dataset.PixelData = (stored // 2).astype(np.uint16).tobytes()
    values = read_series(volumes.written(slices, tmp_path / "a")).volume.values
    apart = values - volumes.hounsfield().clip(-1024)
    assert set(np.unique(apart)) <= {-1, 0}


def test_a_fractional_rescale_is_kept_as_float(tmp_path):
    folder = volumes.written(volumes.series(RescaleSlope=0.5), tmp_path / "a")
    values = read_series(folder).volume.values
    assert values.dtype == np.float32
    expected = (volumes.hounsfield().clip(-1024).astype(np.float32) + 1024) / 2 - 1024
    np.testing.assert_allclose(values, expected)


def test_padding_becomes_air(tmp_path):
    slices = volumes.series(PixelPaddingValue=63000)
    for dataset in slices:
        stored = np.frombuffer(dataset.PixelData, np.uint16).reshape(30, 24).copy()
        stored[:3] = 63000
        dataset.PixelData = stored.tobytes()
    values = read_series(volumes.written(slices, tmp_path / "a")).volume.values
    assert (values[:, :3] == -1024).all()
    np.testing.assert_array_equal(values[:, 3:], volumes.hounsfield().clip(-1024)[:, 3:])


def test_the_only_ct_of_the_body_is_chosen_with_a_warning(folder):
    scout = volumes.series(SeriesInstanceUID="2.25.7", ImageType=["ORIGINAL", "LOCALIZER"])[:1]
    screenshot = volumes.series(SeriesInstanceUID="2.25.8", ImagePositionPatient=None)[:2]
    magnetic = volumes.series(SeriesInstanceUID="2.25.9", Modality="MR")[:9]
    few = volumes.series(SeriesInstanceUID="2.25.10")[:3]
    for name, slices in {"s": scout, "c": screenshot, "m": magnetic, "f": few}.items():
        volumes.written(slices, folder / name)
    series = read_series(folder)
    np.testing.assert_array_equal(series.volume.values, volumes.hounsfield().clip(-1024))
    assert series.volume.warnings == (
        "4 series lie there: the one that is a CT of the body was taken",
    )


def test_two_cts_are_refused(folder):
    volumes.written(volumes.series(SeriesInstanceUID="2.25.7"), folder / "again")
    with pytest.raises(LamellaError, match=r"^thorax: expected one CT series, got 2"):
        read_series(folder)


def test_copies_of_files_are_left_out(folder):
    volumes.written(volumes.series()[:5], folder / "copies")
    series = read_series(folder)
    assert series.volume.warnings == ("5 files that repeat an image were left out",)
    np.testing.assert_array_equal(series.volume.values, volumes.hounsfield().clip(-1024))


def test_of_two_that_claim_to_be_one_image_the_first_by_name_counts(folder):
    """Files are taken in the order of their names, whatever a later one holds."""
    other = volumes.series()[5]
    other.RescaleIntercept = 0
    for name in ("AA.dcm", "ZZ.dcm"):
        pydicom.dcmwrite(folder / name, other, enforce_file_format=True)
        values = read_series(folder).volume.values[:, :, 5]
        expected = volumes.hounsfield().clip(-1024)[:, :, 5] + (1024 if name == "AA.dcm" else 0)
        np.testing.assert_array_equal(values, expected)
        (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"Modality": "MR"}, "expected a CT series, got modality MR"),
        ({"Modality": None}, "got modality unknown"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, r"modality CT \(scout view\)"),
    ],
)
def test_other_modalities_are_refused(tmp_path, change, match):
    folder = volumes.written(volumes.series(**change)[:9], tmp_path / "a")
    with pytest.raises(LamellaError, match=match):
        read_series(folder)


def test_too_few_slices_are_refused(tmp_path):
    folder = volumes.written(volumes.series()[:7], tmp_path / "a")
    with pytest.raises(LamellaError, match="expected at least 8 slices, got 7"):
        read_series(folder)


def test_a_truncated_slice_is_named(folder):
    path = folder / "IM0007.dcm"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(LamellaError, match=r"IM0007\.dcm: the file is truncated"):
        read_series(folder)


def test_no_identifier_travels(tmp_path):
    series = read_series(volumes.written(volumes.series(), tmp_path / "QUATERMAIN 22061856"))
    assert series.source.startswith("dicom-")
    lossy = volumes.series()[:9]
    lossy[4].PixelData = lossy[4].PixelData[:100]
    folder = volumes.written(lossy[:4] + lossy[5:], tmp_path / "Allan")
    pydicom.dcmwrite(folder / "zulu4711.dcm", lossy[4], enforce_file_format=True)
    with pytest.raises(LamellaError) as refusal:
        read_series(folder)
    message = str(refusal.value).lower()
    assert message.count("dicom-") == 2
    assert not any(word in message for word in ("allan", "quatermain", "zulu", "4711", "1856"))


def test_positions_of_a_real_series_win_over_its_thickness(lamella_data):
    folder = lamella_data / "spine" / "dicom_series"
    thickness = float(pydicom.dcmread(next(folder.iterdir())).SliceThickness)
    series = read_series(folder)
    assert thickness == 3.0
    assert np.linalg.norm(series.volume.affine[:3, 2]) == pytest.approx(2.0)
    assert series.volume.values.shape == (512, 512, 20)


def test_lossless_transfer_syntaxes_give_the_same_volume(lamella_data, tmp_path):
    folder = lamella_data / "dicom" / "transfer_syntaxes"
    told = {}
    for start in SYNTAXES:
        (path,) = folder.glob(f"{start}*")
        target = tmp_path / start
        target.mkdir()
        for place in range(8):
            dataset = pydicom.dcmread(path)
            dataset.SOPInstanceUID = f"2.25.{place + 1}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.ImagePositionPatient = [0, 0, 2.5 * place]
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            dataset.save_as(target / f"{place}.dcm")
        told[start] = read_series(target).volume.values
    first = told[SYNTAXES[0]]
    assert first.shape == (512, 512, 8)
    assert first.std() > 50
    assert all(np.array_equal(values, first) for values in told.values())


def test_an_mr_series_is_refused(lamella_data):
    with pytest.raises(LamellaError, match="got modality MR"):
        read_series(lamella_data / "dicom" / "series_to_refuse" / "slicecount")
