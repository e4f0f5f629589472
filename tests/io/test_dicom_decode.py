"""Decoding: bounds before bytes, every real transfer syntax, nothing quoted."""

import tracemalloc
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from lamella.io import dicom_decode
from lamella.io.dicom_decode import codestream_shape, is_dicom, open_dicom, stored_values
from lamella.io.read import read
from lamella.records import LamellaError

LOSSLESS = (
    "1.2",
    "1.2.1",
    "1.2.1.99",
    "1.2.2",
    "1.2.4.57",
    "1.2.4.70",
    "1.2.4.80",
    "1.2.4.90",
    "1.2.5",
)
LOSSY_HU = {"1.2.4.50": 20.0, "1.2.4.51": 4.0, "1.2.4.81": 1.5, "1.2.4.91": 4.0}
REFERENCE = "1.2.1"


def slice_of(lamella_data, syntax):
    folder = lamella_data / "dicom" / "transfer_syntaxes"
    (path,) = folder.glob(f"ct_*_1.2.840.10008.{syntax}.dcm")
    return path


def stored(path):
    return stored_values(open_dicom(path.read_bytes()))


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_transfer_syntaxes_decode_identically(lamella_data, syntax):
    reference = slice_of(lamella_data, REFERENCE)
    path = slice_of(lamella_data, syntax)
    np.testing.assert_array_equal(stored(path), stored(reference))
    np.testing.assert_array_equal(read(path).pixels, read(reference).pixels)


@pytest.mark.parametrize("syntax", LOSSY_HU)
def test_lossy_transfer_syntaxes_agree_in_hu(lamella_data, syntax):
    """Intensity of a CT slice is (HU + 1024) / 4095 whatever rescale the file carries."""
    reference = read(slice_of(lamella_data, REFERENCE)).pixels
    difference_hu = np.abs(read(slice_of(lamella_data, syntax)).pixels - reference) * 4095
    assert 0.0 < difference_hu.mean() < LOSSY_HU[syntax]


@pytest.mark.parametrize("syntax", ["1.2.4.53", "1.2.4.55"])
def test_progressive_jpeg_decodes_equal_to_sequential(lamella_data, syntax):
    sequential = stored(slice_of(lamella_data, "1.2.4.51"))
    assert sequential.max() > 255
    np.testing.assert_array_equal(stored(slice_of(lamella_data, syntax)), sequential)


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY_HU, "1.2.4.53", "1.2.4.55"])
@pytest.mark.parametrize("kept", [0.3, 0.98])
def test_truncated_files_are_refused_in_every_transfer_syntax(lamella_data, tmp_path, syntax, kept):
    data = slice_of(lamella_data, syntax).read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(LamellaError, match=r"cut\.dcm: .*truncated"):
        read(path)


def test_codecs_print_nothing(lamella_data, capfd):
    read(slice_of(lamella_data, "1.2.4.51"))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_missing_pixel_data_is_refused(lamella_data):
    with pytest.raises(LamellaError, match="no pixel data"):
        read(lamella_data / "dicom" / "transfer_syntaxes" / "no-pixel-data.dcm")


def test_missing_pixel_data_of_an_image_is_refused(make_dataset, tmp_path):
    header = make_dataset(np.ones((40, 40), np.uint8))
    del header.PixelData
    pydicom.dcmwrite(tmp_path / "a.dcm", header)
    with pytest.raises(LamellaError, match="no pixel data"):
        read(tmp_path / "a.dcm")


def test_fragments_of_two_frames_are_refused(lamella_data):
    name = "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"
    with pytest.raises(LamellaError, match="expected one frame, got 2"):
        read(lamella_data / "dicom" / "transfer_syntaxes" / name)


def test_a_palette_is_refused(lamella_data):
    with pytest.raises(LamellaError, match="colour palette"):
        read(lamella_data / "dicom" / "transfer_syntaxes" / "no-pixel-spacing.dcm")


@pytest.mark.parametrize(
    "name", ["examples_rgb_color.dcm", "SC_rgb_rle.dcm", "examples_jpeg2k.dcm"]
)
def test_colour_photographs_are_refused(name):
    path = get_testdata_file(name, download=False)
    assert path is not None
    with pytest.raises(LamellaError, match="colour photograph"):
        read(path)


def test_a_truncated_native_file_is_refused():
    path = get_testdata_file("MR_truncated.dcm", download=False)
    assert path is not None
    with pytest.raises(LamellaError, match="truncated"):
        read(path)


def test_a_header_that_claims_gigabytes_allocates_nothing(write_dicom, finger_image):
    path = write_dicom((finger_image * 255).astype(np.uint8), Rows=60_000, Columns=60_000)
    tracemalloc.start()
    with pytest.raises(LamellaError, match="header claims 60000 x 60000"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_pixel_data_shorter_than_its_header_claims_is_truncated(write_dicom, finger_image):
    path = write_dicom((finger_image * 255).astype(np.uint8), Rows=600)
    with pytest.raises(LamellaError, match="truncated"):
        read(path)


def test_an_element_length_of_gigabytes_allocates_nothing(write_dicom, finger_image):
    path = write_dicom((finger_image * 255).astype(np.uint8))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"\xe0\x7f\x10\x00")
    data[at + 8 : at + 12] = (0xFFFFFFF0).to_bytes(4, "little")
    data[at + 12 :] = b"\0" * 100
    path.write_bytes(bytes(data))
    tracemalloc.start()
    with pytest.raises(LamellaError, match="truncated"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_deflated_bomb_is_refused(write_dicom, finger_image, monkeypatch):
    path = write_dicom((finger_image * 255).astype(np.uint8))
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    header.PixelData = b"\0" * 4_000_000
    pydicom.dcmwrite(path, header)
    monkeypatch.setattr(dicom_decode, "MAX_FILE_BYTES", 2_000_000)
    assert path.stat().st_size < 20_000
    with pytest.raises(LamellaError, match="expands beyond"):
        read(path)


def test_an_undecodable_transfer_syntax_is_refused_by_its_standard_name(lamella_data, tmp_path):
    header = pydicom.dcmread(slice_of(lamella_data, "1.2.4.70"))
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    pydicom.dcmwrite(tmp_path / "video.dcm", header)
    with pytest.raises(LamellaError, match=r"MPEG2 .* cannot be decoded: export"):
        read(tmp_path / "video.dcm")


def test_a_private_transfer_syntax_is_refused_without_quoting_it(lamella_data, tmp_path):
    header = pydicom.dcmread(slice_of(lamella_data, "1.2.4.70"))
    header.file_meta.TransferSyntaxUID = UID("1.2.3.4711")
    pydicom.dcmwrite(
        tmp_path / "a.dcm", header, implicit_vr=False, little_endian=True, force_encoding=True
    )
    with pytest.raises(LamellaError) as refusal:
        read(tmp_path / "a.dcm")
    assert "4711" not in str(refusal.value)


def test_a_codestream_of_another_size_is_refused(lamella_data, tmp_path):
    for syntax in ("1.2.4.70", "1.2.4.80", "1.2.4.90"):
        header = pydicom.dcmread(slice_of(lamella_data, syntax))
        header.Rows = 256
        pydicom.dcmwrite(tmp_path / "a.dcm", header)
        with pytest.raises(LamellaError, match="another size than its header"):
            read(tmp_path / "a.dcm")


def test_codestream_shape_reads_what_no_decoder_has_touched():
    jpeg = bytes.fromhex("ffd8 ffe0 0004 0000 ffc3 000b 10 0123 0456 01 000000 ffd9")
    assert codestream_shape(jpeg) == (0x0123, 0x0456)
    fields = [0x456 + 3, 0x123 + 2, 3, 2]
    size = b"".join(field.to_bytes(4, "big") for field in fields)
    assert codestream_shape(bytes.fromhex("ff4fff51 0029 0000") + size) == (0x123, 0x456)
    assert codestream_shape(b"neither one nor the other") is None


def test_overlay_bits_above_the_stored_ones_are_cleared(write_dicom):
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    path = write_dicom(values | np.uint16(0x8000), BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(stored(path), values)


def test_files_without_a_preamble_are_recognised(write_dicom, finger_image):
    path = write_dicom((finger_image * 255).astype(np.uint8))
    expected = read(path).pixels
    header = pydicom.dcmread(path)
    bare = pydicom.Dataset({tag: header[tag] for tag in header.keys()})  # noqa: SIM118
    bare.save_as(path, implicit_vr=True, little_endian=True)
    assert is_dicom(path.read_bytes())
    np.testing.assert_array_equal(read(path).pixels, expected)


def test_random_bytes_after_a_dicom_prefix_are_refused(tmp_path):
    path = tmp_path / "a.dcm"
    noise = np.random.default_rng(3).bytes(4000)
    path.write_bytes(b"\0" * 128 + b"DICM" + noise + zlib.compress(noise))
    with pytest.raises(LamellaError, match=r"a\.dcm: "):
        read(path)


def test_a_malformed_pixel_element_is_refused(write_dicom, finger_image):
    path = write_dicom(np.rint(finger_image * 4095).astype(np.uint16))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x10\x00O\x00"))
    with pytest.raises(LamellaError, match="truncated or damaged"):
        read(path)
