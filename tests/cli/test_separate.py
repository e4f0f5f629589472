"""``lamella separate`` as a user meets it: files, words and exit codes."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from lamella.io import read, read_mask
from lamella.io.write import read_tiff_float, write_png16
from lamella.zoo.models import names

FILES = {
    "upper.png",
    "lower.png",
    "soft.png",
    "recomposed.png",
    "layers.tif",
    "input.tif",
    "mask_upper.png",
    "mask_lower.png",
    "result.json",
}
PATIENT = {
    "PatientName": "Rossi^Anna",
    "PatientID": "MRN-778812",
    "PatientBirthDate": "19530217",
    "AccessionNumber": "ACC-55190",
}


def words_of(folder) -> str:
    """Every file below a folder as text, with its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path}\n{path.read_bytes().decode('latin-1')}" for path in files)


def test_one_image_gives_layers_that_recompose_it(lamella, joint, tmp_path, phantom):
    path, out = joint(), tmp_path / "out"
    ran = lamella("separate", path, "-o", out, "--pixel-spacing", "0.164")
    assert (ran.code, ran.err) == (0, "")
    assert {entry.name for entry in (out / "joint").iterdir()} == FILES
    assert {entry.name for entry in out.iterdir()} == {"joint", "run.json", "report.html"}
    soft, upper, lower, share_sd = read_tiff_float(out / "joint" / "layers.tif")
    pixels = read(path).pixels
    np.testing.assert_allclose(-np.expm1(-(soft + upper + lower)), pixels, atol=1e-6)
    np.testing.assert_array_equal(read_tiff_float(out / "joint" / "input.tif"), pixels)
    assert share_sd[phantom.masks["upper"] & phantom.masks["lower"]].min() > 0
    recomposed = read(out / "joint" / "recomposed.png").pixels
    np.testing.assert_allclose(recomposed, pixels, atol=1 / 65535)
    for bone, mask in phantom.masks.items():
        np.testing.assert_array_equal(read_mask(out / "joint" / f"mask_{bone}.png"), mask)


def test_one_image_says_three_lines(lamella, joint, tmp_path):
    out = tmp_path / "out"
    lines = lamella("separate", joint(), "-o", out, "--pixel-spacing", "0.164").out.splitlines()
    assert len(lines) == 3
    assert lines[0] == f"layers (done): {out / 'joint'}"
    assert "pixel spacing 0.164 mm, given by the user" in lines[1]
    assert lines[2] == f"report: {out / 'report.html'}"


def test_the_records_of_a_run(lamella, joint, tmp_path):
    path, out = joint(), tmp_path / "out"
    lamella("separate", path, "-o", out, "--pixel-spacing", "0.164")
    result = json.loads((out / "joint" / "result.json").read_text())
    assert result["pixel_spacing_mm"] == 0.164
    assert result["pixel_spacing_source"] == "given by the user"
    assert result["masks"] == {"origin": "given", "confidence": 1.0, "flags": []}
    assert result["overlap_px"] > 0
    assert result["max_residual"]["intensity"] < 1e-6
    assert 0 < result["mean_share_sd_in_overlap"] < 1
    assert result["files"]["layers.tif"]["pages"] == ["soft", "upper", "lower", "share_sd"]
    run = json.loads((out / "run.json").read_text())
    assert run["command"] == "lamella separate … --pixel-spacing 0.164"
    assert run["inputs_sha256"]["joint"] == result["origin"]["input_sha256"]
    assert set(run["weights_sha256"]) == set(names())
    assert run["spacing"] == {"joint": "0.164 mm, given by the user"}
    assert run["versions"]["lamella"]
    assert run["timings_s"]["total"] > 0
    assert str(tmp_path) not in (out / "run.json").read_text()


def test_given_masks_are_used(lamella, joint, tmp_path, phantom):
    path = joint("a/joint.png", masks=False)
    joint("b/other.png")
    masks = [tmp_path / "b" / f"other_mask_{bone}.png" for bone in ("upper", "lower")]
    out = tmp_path / "out"
    assert lamella("separate", path, "-o", out, "--upper", masks[0], "--lower", masks[1]).code == 0
    found = read_mask(out / "joint" / "mask_lower.png")
    np.testing.assert_array_equal(found, phantom.masks["lower"])


def test_unknown_spacing_never_says_millimetres(lamella, joint, tmp_path):
    out = tmp_path / "out"
    ran = lamella("separate", joint(), "-o", out)
    assert ran.code == 0
    assert "pixel spacing unknown" in ran.out
    records = (out / "run.json").read_text() + (out / "joint" / "result.json").read_text()
    assert " mm" not in ran.out + ran.err + records
    assert json.loads((out / "joint" / "result.json").read_text())["pixel_spacing_mm"] is None
    assert not re.search(r"\d\s+mm\b", (out / "report.html").read_text(encoding="utf-8"))


SPOILED = {
    "wrong file": lambda path: path.write_text("not an image"),
    "empty file": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:2000]),
    "missing": lambda path: path.unlink(),
    "inverted": lambda path: write_png16(path, 1.0 - read(path).pixels),
    "saturated": lambda path: write_png16(path, np.clip(8.0 * read(path).pixels, 0.0, 1.0)),
    "empty mask": lambda path: write_png16(mask_of(path), np.zeros((128, 128))),
    "mask of another size": lambda path: write_png16(mask_of(path), np.tri(64)),
    "one mask only": lambda path: mask_of(path).unlink(),
}


def mask_of(path, bone="upper"):
    return path.with_name(f"{path.stem}_mask_{bone}.png")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("wrong file", "expected a PNG, JPEG, BMP, TIFF or DICOM image"),
        ("empty file", "the file is empty"),
        ("truncated", "truncated or damaged"),
        ("missing", "found no such file"),
        ("inverted", "invert the image"),
        ("saturated", "saturated"),
        ("empty mask", "mask of the upper bone: the mask is empty"),
        ("mask of another size", "mask of the upper bone: expected a mask of 128 x 128"),
        ("one mask only", "none of the upper bone"),
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(lamella, joint, tmp_path, kind, said):
    path, out = joint(), tmp_path / "out"
    SPOILED[kind](path)
    before = sorted(tmp_path.rglob("*"))
    ran = lamella("separate", path, "-o", out)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("lamella: joint.png: ")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["joint.png"], "--out"),
        (["-o", "out"], "name at least one radiograph"),
        (["joint.png", "-o", "out", "--upper", "joint_mask_upper.png"], "both --upper and --lower"),
        (["joint.png", "-o", "out", "--pixel-spacing", "0"], "above 0 mm per pixel, got 0"),
        (["joint.png", "-o", "out", "--pixel-spacing", "nan"], "got nan"),
        (["joint.png", "-o", "out", "--pixel-spacing", "wide"], "--pixel-spacing"),
        (["joint.png", "-o", "out", "--unknown"], "--unknown"),
        (["joint.png", "-o", "joint.png"], "is a file"),
        (["joint_mask_upper.png", "-o", "out"], "found no radiograph"),
        (["empty", "-o", "out"], "found no radiograph"),
    ],
)
def test_bad_usage_gets_one_line_and_leaves_nothing(
    lamella, joint, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    joint()
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    ran = lamella("separate", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("lamella: ")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_masks_are_for_one_image_only(lamella, joint, tmp_path):
    one, two = joint("one.png"), joint("two.png")
    masks = [tmp_path / f"one_mask_{bone}.png" for bone in ("upper", "lower")]
    ran = lamella(
        "separate", one, two, "-o", tmp_path / "out", "--upper", masks[0], "--lower", masks[1]
    )
    assert ran.code == 2
    assert "belong to one image, got 2" in ran.err
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_without_force(lamella, joint, tmp_path):
    path, out = joint(), tmp_path / "out"
    assert lamella("separate", path, "-o", out).code == 0
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    ran = lamella("separate", path, "-o", out)
    assert ran.code == 2
    assert "--force" in ran.err
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    (out / "joint" / "upper.png").write_bytes(b"old")
    assert lamella("separate", path, "-o", out, "--force").code == 0
    assert read(out / "joint" / "upper.png").shape == (128, 128)


def test_a_users_report_is_not_overwritten(lamella, joint, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    for option in ([], ["--resume"]):
        assert lamella("separate", joint(), "-o", out, *option).code == 2
    assert (out / "report.html").read_text() == "mine"
    assert [entry.name for entry in out.iterdir()] == ["report.html"]


def test_force_deletes_no_file_that_is_not_lamellas(lamella, joint, tmp_path):
    out = tmp_path / "out"
    (out / "joint").mkdir(parents=True)
    (out / "joint" / "notes.txt").write_text("mine")
    ran = lamella("separate", joint(), "-o", out, "--force")
    assert ran.code == 2
    assert "files that are not Lamella's" in ran.err
    assert (out / "joint" / "notes.txt").read_text() == "mine"


def test_no_identifier_leaves_a_dicom_header(lamella, dicom, tmp_path):
    path, out = dicom("rossi.dcm", PixelSpacing=[0.164, 0.164], **PATIENT), tmp_path / "out"
    runs = [lamella("separate", path, "-o", out), lamella("separate", path, "-o", out)]
    assert [ran.code for ran in runs] == [0, 2]
    said = "".join(ran.out + ran.err for ran in runs) + words_of(out)
    assert "0.164 mm, DICOM PixelSpacing, not stated as calibrated" in said
    for identifier in ("rossi", "anna", "778812", "19530217", "55190"):
        assert identifier not in said.replace(str(tmp_path), "").lower()


def test_no_identifier_leaves_a_batch_with_damaged_files(lamella, dicom, joint, tmp_path):
    for name in ("rossi_1.dcm", "rossi_2.dcm", "rossi_3.dcm"):
        dicom(f"in/{name}", **PATIENT)
    cut = tmp_path / "in" / "rossi_2.dcm"
    cut.write_bytes(cut.read_bytes()[:9000])
    (tmp_path / "in" / "rossi_3_mask_upper.png").write_bytes(b"damaged")
    ran = lamella("separate", tmp_path / "in", "-o", tmp_path / "out")
    assert ran.code == 1
    assert "1 done" in ran.out
    assert "2 failed" in ran.out
    said = ran.out + ran.err + words_of(tmp_path / "out")
    assert "rossi" not in said.replace(str(tmp_path), "").lower()


def test_warnings_of_one_image_reach_the_user(lamella, dicom, tmp_path):
    path = dicom("a.dcm", Modality="OT")
    ran = lamella("separate", path, "-o", tmp_path / "out")
    assert ran.code == 0
    assert "lamella: warning: modality OT is not a radiograph" in ran.err


def test_a_whole_process_exits_with_the_code(joint, tmp_path):
    path = joint()
    path.write_text("not an image")
    words = [sys.executable, "-m", "lamella", "separate", str(path), "-o", str(tmp_path / "out")]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("lamella: joint.png: expected a PNG")
    assert not (tmp_path / "out").exists()


def test_the_published_method_is_run_when_asked(lamella, joint, tmp_path):
    ran = lamella("separate", joint(), "-o", tmp_path / "out", "--method", "bls-gan")
    assert ran.code == 0
    result = json.loads((tmp_path / "out" / "joint" / "result.json").read_text())
    assert result["method"].startswith("bls-gan ")
    assert result["max_residual"]["intensity"] > 1e-4
    assert "--method bls-gan" in (tmp_path / "out" / "run.json").read_text()


def test_another_method_is_another_result(lamella, joint, tmp_path):
    path, out = joint(), tmp_path / "out"
    assert lamella("separate", path, "-o", out).code == 0
    ran = lamella("separate", path, "-o", out, "--method", "bls-gan", "--resume")
    assert ran.code == 2
    assert "made from another input" in ran.err


def test_an_unknown_method_is_bad_usage(lamella, joint, tmp_path):
    ran = lamella("separate", joint(), "-o", tmp_path / "out", "--method", "magic")
    assert ran.code == 2
    assert not (tmp_path / "out").exists()
