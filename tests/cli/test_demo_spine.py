"""``lamella demo --spine``: a phantom with two fractures, found as they were made."""

import csv

import pytest

from lamella.cli import demo_spine
from lamella.physics.phantoms.spine import SpinePhantomSpec, spine_phantom


@pytest.fixture
def coarse(monkeypatch):
    """A phantom of 3 mm voxels."""
    monkeypatch.setattr(demo_spine, "SPACING_MM", 3.0)


def test_the_truth_is_the_phantom_s():
    fractures = {"L1": demo_spine.FRACTURES["L1"]}
    spec = SpinePhantomSpec(levels=("T12", "L1"), spacing_mm=3.0, fractures=fractures)
    (said,) = demo_spine.truth(spine_phantom(spec))
    assert said == "truth: L1 wedge, RHLV anterior 35 %, middle 19 %, posterior 3 %"


def test_the_demo_writes_over_nothing(lamella, tmp_path):
    kept = tmp_path / "demo" / demo_spine.CT_FILE
    kept.parent.mkdir()
    kept.write_bytes(b"mine")
    ran = lamella("demo", "--spine", "-o", kept.parent)
    assert (ran.code, ran.err.count("\n"), "--force" in ran.err) == (2, 1, True)
    assert kept.read_bytes() == b"mine"


def test_a_report_in_the_way_is_seen_before_the_phantom_is_written(lamella, tmp_path):
    kept = tmp_path / "demo" / "report.html"
    kept.parent.mkdir()
    kept.write_text("mine", encoding="utf-8")
    assert lamella("demo", "--spine", "-o", kept.parent).code == 2
    assert [path.name for path in kept.parent.iterdir()] == ["report.html"]


def test_both_fractures_are_found(lamella, tmp_path, coarse):
    out = tmp_path / "demo"
    ran = lamella("demo", "--spine", "-o", out)
    assert ran.code == 0, ran.err
    assert "L1 wedge fracture" in ran.out
    rows = csv.DictReader((out / "vertebrae.csv").read_text("utf-8").splitlines())
    found = {row["level"]: row for row in rows}
    for level, zone in (("L1", "anterior"), ("L3", "middle")):
        said, spread = (float(found[level][f"rhlv_{zone}{end}"]) for end in ("", "_sd"))
        assert abs(said - demo_spine.FRACTURES[level].loss) < 3 * spread
        assert said > 0.1
    assert (out / "pseudo_healthy_ct.nii.gz").exists()
