"""Files of a sample: exact, complete or not there at all."""

import json

import numpy as np
import pytest

from lamella.io import read, read_mask
from lamella.io.dicom_write import Derivation
from lamella.io.sample import SUFFIXES, complete_record, digests, sample_files, write_sample
from lamella.records import LamellaError

DERIVATION = Derivation(description="SYNTHETIC", study="a", instance="a 1")


@pytest.fixture
def stored(tmp_path, synthetic):
    files = sample_files("a", synthetic, "png16", DERIVATION)
    record = {"id": "a", "files": digests(files)}
    write_sample(tmp_path / "deep" / "a", record, files)
    return tmp_path / "deep" / "a"


@pytest.mark.parametrize(("kind", "step"), [("png16", 65535), ("png8", 255), ("dicom", 65535)])
def test_written_then_read_equals_what_was_synthesised(tmp_path, synthetic, kind, step):
    files = sample_files("a", synthetic, kind, DERIVATION)
    write_sample(tmp_path, {"id": "a", "files": digests(files)}, files)
    pixels = read(tmp_path / f"a{SUFFIXES[kind]}").pixels
    expected = np.rint(step * synthetic.image.astype(np.float64)) / step
    np.testing.assert_allclose(pixels, expected, atol=1e-7)
    for bone, mask in synthetic.masks.items():
        np.testing.assert_array_equal(read_mask(tmp_path / f"a_mask_{bone}.png"), mask)


def test_a_sample_is_complete_with_its_record(stored):
    assert complete_record(stored, "a") == json.loads((stored / "a.json").read_text())
    assert {path.name for path in stored.iterdir()} == {
        "a.png",
        "a.json",
        "a_mask_upper.png",
        "a_mask_lower.png",
    }
    assert complete_record(stored, "b") is None


@pytest.mark.parametrize("name", ["a.png", "a_mask_lower.png"])
def test_a_damaged_or_missing_file_makes_it_incomplete(stored, name):
    content = (stored / name).read_bytes()
    (stored / name).write_bytes(content[:-1] + b"?")
    assert complete_record(stored, "a") is None
    (stored / name).unlink()
    assert complete_record(stored, "a") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}'])
def test_a_damaged_record_makes_it_incomplete(stored, text):
    (stored / "a.json").write_text(text)
    assert complete_record(stored, "a") is None


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(LamellaError, match=r"^a: cannot be written"):
        write_sample(tmp_path / "a", {"id": "a"}, {})
