"""A result folder appears whole or not at all."""

import numpy as np
import pytest

import lamella
from lamella.cli.outputs import (
    Origin,
    described,
    refuse_foreign,
    refuse_unwritable,
    write_result,
    write_text,
)
from lamella.io import read
from lamella.records import LamellaError

ORIGIN = Origin(name="joint", input_sha256="00")


@pytest.fixture
def layers(phantom):
    radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.164)
    return lamella.separate(radiograph, phantom.masks)


def test_what_is_described_is_measured_on_the_layers(layers):
    result = described(layers, ORIGIN, {"read": 1.234})
    overlap = layers.masks.overlap
    assert result["overlap_px"] == overlap.sum()
    assert result["max_residual"]["intensity"] == np.abs(layers.residual()).max()
    expected = result["max_residual"]["intensity"] / layers.radiograph.grey_level
    assert result["max_residual"]["grey_levels"] == expected
    assert result["mean_share_sd_in_overlap"] == pytest.approx(layers.share_sd[overlap].mean())
    assert result["timings_ms"] == {"read": 1.2}


def test_truth_is_written_beside_the_layers(layers, tmp_path):
    truth = {"upper": layers.bone_image("lower")}
    result = described(layers, ORIGIN, {})
    folder = write_result(tmp_path / "new" / "out", layers, result, truth)
    assert folder == tmp_path / "new" / "out" / "joint"
    np.testing.assert_allclose(read(folder / "true_upper.png").pixels, truth["upper"], atol=1e-5)


def test_a_failed_write_leaves_what_was_there(layers, tmp_path, monkeypatch):
    result = described(layers, ORIGIN, {})
    folder = write_result(tmp_path, layers, result)
    before = (folder / "result.json").read_bytes()

    def full(path, image):
        raise LamellaError("cannot be written (no space left on device)")

    monkeypatch.setattr("lamella.cli.outputs.write_png16", full)
    for out in (tmp_path, tmp_path / "new"):
        with pytest.raises(LamellaError, match="no space"):
            write_result(out, layers, result)
    assert [entry.name for entry in tmp_path.iterdir()] == ["joint"]
    assert (folder / "result.json").read_bytes() == before


def test_an_empty_output_folder_of_the_user_stays(layers, tmp_path, monkeypatch):
    def full(path, image):
        raise LamellaError("no space")

    monkeypatch.setattr("lamella.cli.outputs.write_png16", full)
    with pytest.raises(LamellaError):
        write_result(tmp_path, layers, described(layers, ORIGIN, {}))
    assert tmp_path.is_dir()


def test_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr("lamella.cli.outputs.PAGE_CHARACTERS", 3)
    write_text(tmp_path / "page.html", "eins zwei drei ·")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "eins zwei drei ·"
    with pytest.raises(LamellaError, match=r"page\.html: cannot be written"):
        write_text(tmp_path / "nowhere" / "page.html", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_only_own_folders_may_be_replaced(tmp_path):
    own, users = tmp_path / "own", tmp_path / "users"
    for folder, name in ((own, "upper.png"), (own, "result.json"), (users, "scan.png")):
        folder.mkdir(exist_ok=True)
        (folder / name).touch()
    link = tmp_path / "link"
    link.symlink_to(own)
    refuse_foreign(own)
    for other in (users, link, own / "upper.png"):
        with pytest.raises(LamellaError, match="not Lamella's"):
            refuse_foreign(other)


def test_an_output_folder_must_be_writable(tmp_path, monkeypatch):
    refuse_unwritable(tmp_path / "new" / "deep")
    (tmp_path / "file").touch()
    with pytest.raises(LamellaError, match="file is a file"):
        refuse_unwritable(tmp_path / "file" / "out")
    monkeypatch.setattr("lamella.cli.outputs.os.access", lambda path, mode: False)
    with pytest.raises(LamellaError, match="out cannot be written"):
        refuse_unwritable(tmp_path / "out")
