"""``lamella synthesize`` as a user meets it: files, words and exit codes."""

import csv
import json

import numpy as np
import pydicom
import pytest

from lamella.io import read, read_mask
from lamella.io.coco import mask_of_runs

SPACING = ("--pixel-spacing", "0.164")
PATIENT = {
    "PatientName": "Zbigniewska^Wilhelmina",
    "PatientID": "MRN-7788123-K",
    "PatientBirthDate": "19530217",
    "AccessionNumber": "ACC-5519077",
}


def rows_of(out):
    return list(csv.DictReader((out / "manifest.csv").read_text("utf-8").splitlines()))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def words_of(folder) -> str:
    return "\n".join(
        f"{path}\n{content.decode('latin-1')}" for path, content in contents(folder).items()
    )


def test_one_joint_at_each_width(lamella, joint, tmp_path):
    out = tmp_path / "out"
    ran = lamella("synthesize", joint(), "--jsw", "-0.5:1:0.5", *SPACING, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("4 of 4 samples of 1 joint (4 made, 0 there already) in ")
    assert lines[1:] == [
        "each of 4 widths: 1 sample",
        f"manifest: {out / 'manifest.csv'}",
        f"report: {out / 'report.html'}",
    ]
    rows = rows_of(out)
    assert [float(row["asked_jsw_mm"]) for row in rows] == [-0.5, 0.0, 0.5, 1.0]
    for row in rows:
        assert float(row["jsw_mm"]) == pytest.approx(float(row["asked_jsw_mm"]), abs=1e-4)
        assert float(row["rotation_deg"]) == float(row["asked_shift_mm"]) == 0.0
        for column in ("image", "mask_upper", "mask_lower", "annotation"):
            assert (out / row[column]).is_file()


def test_manifest_coco_and_records_tell_the_same(lamella, joint, tmp_path):
    out = tmp_path / "out"
    lamella("synthesize", joint(), "--jsw", "0:1:0.5", *SPACING, "-o", out)
    coco = json.loads((out / "coco.json").read_text())
    rows = rows_of(out)
    assert len(coco["images"]) == len(rows) == 3
    assert len(coco["annotations"]) == 6
    for row, image in zip(rows, coco["images"], strict=True):
        record = json.loads((out / row["annotation"]).read_text())
        assert image["file_name"] == row["image"]
        assert image["jsw_mm"] == float(row["jsw_mm"]) == record["measures"]["jsw_mm"]
        assert record["layers"]["grain_seed"] == int(row["grain_seed"])
        assert record["source"]["input_sha256"] == row["source_sha256"]
        bones = [entry for entry in coco["annotations"] if entry["image_id"] == image["id"]]
        for bone, name in zip(bones, ("upper", "lower"), strict=True):
            found = mask_of_runs(
                bone["segmentation"]["counts"], tuple(bone["segmentation"]["size"])
            )
            np.testing.assert_array_equal(found, read_mask(out / row[f"mask_{name}"]))


def test_the_records_of_a_run(lamella, joint, tmp_path):
    out = tmp_path / "out"
    lamella("synthesize", joint(), "--jsw", "0:1:0.5", "--seed", "7", *SPACING, "-o", out)
    run = json.loads((out / "run.json").read_text())
    assert run["command"] == "lamella synthesize … --jsw 0:1:0.5 --seed 7 --pixel-spacing 0.164"
    assert (run["status"], run["seed"]) == ("finished", 7)
    assert run["request"]["widths_mm"] == [0.0, 0.5, 1.0]
    assert run["samples"]["written"] == 3
    assert run["spacing"] == {"joint": "0.164 mm, given by the user"}
    assert str(tmp_path) not in (out / "run.json").read_text()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "0.50 mm" in page


def test_a_count_is_balanced_over_widths_and_joints(cohort):
    rows = rows_of(cohort("png16"))
    widths = np.unique([row["asked_jsw_mm"] for row in rows], return_counts=True)
    sources = np.unique([row["source"] for row in rows], return_counts=True)
    assert widths[1].tolist() == [2, 2, 2, 2, 2]
    assert sources[1].tolist() == [5, 5]
    shifts = np.array([float(row["asked_shift_mm"]) for row in rows])
    turns = np.array([float(row["rotation_deg"]) for row in rows])
    assert len(set(shifts)) == 10
    assert 0 < np.abs(shifts).max() <= 0.5
    assert 0 < np.abs(turns).max() <= 2.0


def test_widths_nobody_can_reach_are_left_out_and_named(lamella, joint, tmp_path):
    out = tmp_path / "out"
    ran = lamella("synthesize", joint(), "--jsw", "0:16:8", *SPACING, "-o", out)
    assert ran.code == 0
    assert ran.err == "lamella: warning: no joint here can reach 16 mm: left out\n"
    assert len(rows_of(out)) == 2
    assert json.loads((out / "run.json").read_text())["samples"]["unreachable_mm"] == [16.0]


@pytest.mark.parametrize("kind", ["png8", "dicom"])
def test_other_formats(lamella, joint, tmp_path, kind):
    out = tmp_path / "out"
    ran = lamella("synthesize", joint(), "--jsw", "0.5", "--format", kind, *SPACING, "-o", out)
    assert ran.code == 0
    image = out / rows_of(out)[0]["image"]
    assert read(image).shape == (128, 128)
    if kind == "dicom":
        assert pydicom.dcmread(image).ImageType[-1] == "SYNTHETIC"
        assert read(image).pixel_spacing_mm == 0.164


BAD_USAGE = [
    (["joint.png", "--jsw", "0:1:0.5"], "--out"),
    (["-o", "out", "--jsw", "0:1:0.5"], "name at least one radiograph"),
    (["joint.png", "-o", "out"], "say which widths: --jsw"),
    (["joint.png", "-o", "out", "--jsw", "wide"], "expected --jsw LOW:HIGH:STEP"),
    (["joint.png", "-o", "out", "--jsw", "0:1:0.5", "--shift", "2:1"], "expected --shift LOW:HIGH"),
    (["joint.png", "-o", "out", "--jsw", "1", "--rotation", "a:b"], "expected --rotation"),
    (["joint.png", "-o", "out", "--jsw", "1", "--count", "0"], "expected --count above 0"),
    (["joint.png", "-o", "out", "--jsw", "1", "--seed", "-1"], "expected --seed from 0"),
    (["joint.png", "-o", "out", "--jsw", "1", "--workers", "0"], "expected --workers from 1"),
    (["joint.png", "-o", "out", "--jsw", "1", "--format", "gif"], "--format"),
    (["joint.png", "-o", "out", "--jsw", "1", "--upper", "u.png"], "both --upper and --lower"),
    (["joint.png", "-o", "out", "--jsw", "1", "--pixel-spacing", "0"], "above 0 mm per pixel"),
    (["joint.png", "-o", "joint.png", "--jsw", "1"], "is a file"),
    (["empty", "-o", "out", "--jsw", "1"], "found no radiograph"),
    (["joint.png", "-o", "out", "--jsw", "1"], "joint: the pixel spacing is unknown"),
    (["joint.png", "-o", "out", "--jsw", "19", *SPACING], "ask for widths nearer to theirs"),
    (["-o", "out", "--row", "manifest.csv"], "expected --row MANIFEST:ID"),
    (["-o", "out", "--row", "none.csv:a"], "none.csv: the manifest cannot be read"),
    (["-o", "out", "--row", "none.csv:a", "--jsw", "1"], "leave out --jsw and --count"),
]


@pytest.mark.parametrize(("words", "said"), BAD_USAGE)
def test_bad_usage_gets_one_line_and_leaves_nothing(
    lamella, joint, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    joint()
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    ran = lamella("synthesize", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("lamella: ")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_image_gets_one_line_and_leaves_nothing(lamella, joint, tmp_path):
    path = joint()
    path.write_bytes(path.read_bytes()[:2000])
    before = sorted(tmp_path.rglob("*"))
    ran = lamella("synthesize", path, "--jsw", "1", *SPACING, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert (
        ran.err == "lamella: joint.png: the file is truncated or damaged: copy or export it again\n"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bad_image_does_not_stop_the_others(lamella, joint, tmp_path):
    joint("in/a.png")
    (tmp_path / "in" / "bad.png").write_text("not an image")
    out = tmp_path / "out"
    ran = lamella("synthesize", tmp_path / "in", "--jsw", "0:1:0.5", *SPACING, "-o", out)
    assert ran.code == 1
    assert "failed: bad: expected a PNG" in ran.out
    assert {row["source"] for row in rows_of(out)} == {"a"}
    images = json.loads((out / "run.json").read_text())["images"]
    assert {image["name"]: image["status"] for image in images} == {"a": "done", "bad": "failed"}


def test_nothing_is_overwritten_without_force(lamella, joint, tmp_path):
    path, out = joint(), tmp_path / "out"
    lamella("synthesize", path, "--jsw", "0:1:0.5", *SPACING, "-o", out)
    before = contents(out)
    for change in (["--jsw", "0:1:0.25"], ["--jsw", "0:1:0.5", "--seed", "3"]):
        ran = lamella("synthesize", path, *change, *SPACING, "-o", out)
        assert ran.code == 2
        assert "made by another request: replace it with --force" in ran.err
        assert contents(out) == before
    ran = lamella("synthesize", path, "--jsw", "0:0.4:0.2", *SPACING, "-o", out, "--force")
    assert ran.code == 0
    assert len(list((out / "samples" / "joint").iterdir())) == 3 * 4
    assert len(rows_of(out)) == 3


def test_parquet_without_pyarrow_is_one_line(lamella, joint, tmp_path, monkeypatch):
    monkeypatch.setattr("lamella.io.manifest.find_spec", lambda name: None)
    out = tmp_path / "out"
    ran = lamella("synthesize", joint(), "--jsw", "1", "--parquet", *SPACING, "-o", out)
    assert ran.code == 2
    assert 'pip install "lamella[parquet]"' in ran.err
    assert not out.exists()


@pytest.mark.parametrize("kind", ["png16", "dicom"])
def test_no_identifier_leaves_a_dicom_header(lamella, dicom, tmp_path, kind):
    path = dicom("zbigniewska.dcm", PixelSpacing=[0.164, 0.164], **PATIENT)
    out = tmp_path / "out"
    ran = lamella("synthesize", path, "--jsw", "0:1:0.5", "--format", kind, "-o", out)
    assert ran.code == 0
    said = (ran.out + ran.err + words_of(out)).replace(str(tmp_path), "").lower()
    assert "not stated as calibrated" in said
    for identifier in ("zbigniewska", "wilhelmina", "7788123", "19530217", "5519077"):
        assert identifier not in said
