"""``lamella measure`` as a user meets it."""

import csv
import json

import pytest

from lamella.tasks.joint_width import measure_joint_space

SPACING = ("--pixel-spacing", "0.164")


def rows_of(out):
    return list(csv.DictReader((out / "joint_space.csv").read_text("utf-8").splitlines()))


def test_one_joint(lamella, joint, tmp_path, phantom):
    out = tmp_path / "out"
    ran = lamella("measure", joint(), *SPACING, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    expected = measure_joint_space(phantom.masks, 0.164)
    (row,) = rows_of(out)
    assert float(row["jsw_mm"]) == pytest.approx(expected.jsw_mm, abs=1e-9)
    assert float(row["contact_mm"]) == pytest.approx(expected.contact_mm, abs=1e-9)
    assert float(row["jsw_sd_mm"]) > 0
    assert (row["status"], row["problem"], row["masks"]) == ("done", "", "given")
    assert ran.out.startswith(f"joint space width {expected.jsw_mm:.2f} mm")
    assert {path.name for path in out.iterdir()} == {
        "joint_space.csv",
        "joint_space.json",
        "run.json",
    }
    table = json.loads((out / "joint_space.json").read_text())
    assert table["joints"][0]["jsw_mm"] == float(row["jsw_mm"])


def test_without_masks_they_are_segmented(lamella, joint, tmp_path):
    out = tmp_path / "out"
    assert lamella("measure", joint(masks=False), *SPACING, "-o", out).code == 0
    assert rows_of(out)[0]["masks"] != "given"


def test_problems_have_their_own_column(lamella, joint, tmp_path):
    joint("in/a.png")
    (tmp_path / "in" / "bad.png").write_text("not an image")
    out = tmp_path / "out"
    ran = lamella("measure", tmp_path / "in", *SPACING, "--overlay", "-o", out)
    assert ran.code == 1
    assert "2 images: 1 measured, 1 not\nfailed: bad: expected a PNG" in ran.out
    good, bad = rows_of(out)
    assert (good["problem"], bad["jsw_mm"]) == ("", "")
    assert bad["problem"].startswith("expected a PNG")
    assert [path.name for path in (out / "overlays").iterdir()] == ["a.png"]
    run = json.loads((out / "run.json").read_text())
    assert run["command"] == "lamella measure … --pixel-spacing 0.164 --overlay"
    assert set(run["inputs_sha256"]) == {"a", "bad"}


def test_unknown_spacing_is_in_pixels(lamella, joint, tmp_path):
    ran = lamella("measure", joint(), "-o", tmp_path / "out")
    assert ran.code == 0
    assert " mm" not in ran.out
    (row,) = rows_of(tmp_path / "out")
    assert row["jsw_mm"] == row["pixel_spacing_mm"] == ""
    assert float(row["jsw_px"]) < 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "out"], "name at least one radiograph"),
        (["joint.png", "-o", "out", "--upper", "joint_mask_upper.png"], "both --upper and --lower"),
        (["joint.png", "-o", "out", "--pixel-spacing", "-1"], "above 0 mm per pixel"),
        (["bad.png", "-o", "out", "--overlay"], "bad.png: expected a PNG"),
        (["empty", "-o", "out"], "found no radiograph"),
    ],
)
def test_bad_usage_gets_one_line_and_leaves_nothing(
    lamella, joint, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    joint()
    (tmp_path / "bad.png").write_text("not an image")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    ran = lamella("measure", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_overwritten_without_force(lamella, joint, tmp_path):
    path, out = joint(), tmp_path / "out"
    lamella("measure", path, "-o", out)
    before = (out / "joint_space.csv").read_bytes()
    ran = lamella("measure", path, *SPACING, "-o", out)
    assert ran.code == 2
    assert "exists already" in ran.err
    assert (out / "joint_space.csv").read_bytes() == before
    assert lamella("measure", path, *SPACING, "-o", out, "--force").code == 0
    assert (out / "joint_space.csv").read_bytes() != before


def test_no_identifier_leaves_a_dicom_header(lamella, dicom, tmp_path):
    path = dicom("zbigniewska.dcm", PatientName="Zbigniewska^W", PixelSpacing=[0.164, 0.164])
    ran = lamella("measure", path, "-o", tmp_path / "out", "--overlay")
    assert ran.code == 0
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    said = ran.out + "".join(f"{file.name}{file.read_bytes()!r}" for file in files)
    assert "zbigniewska" not in said.replace(str(tmp_path), "").lower()
    assert [file.parent.name for file in files].count("overlays") == 1
