"""The evaluation on phantoms: every file, every row, nobody's name."""

import csv
from pathlib import Path

import numpy as np
import pytest

import joints
from lamella.evaluation import reconstruction
from lamella.evaluation.baselines import equal_split
from lamella.evaluation.figures import panels
from lamella.evaluation.results import load
from lamella.evaluation.rows import painted, shipped
from lamella.records import LamellaError

pytestmark = pytest.mark.slow

ROWS = {"equal split": painted(equal_split), "Lamella": shipped("exact")}


@pytest.fixture(scope="module")
def written(manifest, tmp_path_factory):
    """Results of two rows and one panel."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruction, "PANEL_PHANTOMS", 1)
        printed = reconstruction.compare(ROWS, manifest, out)
    return printed, out


def test_what_is_printed_is_written_in_every_form(written):
    printed, out = written
    assert (out / "reconstruction.md").read_text(encoding="utf-8") == printed
    assert (out / "reconstruction.tex").read_text(encoding="utf-8").count(r"\toprule") == 5
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {
        *(f"reconstruction.{suffix}" for suffix in ("json", "md", "tex", "csv")),
        "reconstruction_images.csv",
        *(
            f"{name}.{suffix}"
            for name in (
                *(f"reconstruction_{part}" for part in ("whole", "overlap", "layers")),
                "panels/phantom_1",
            )
            for suffix in ("png", "pdf")
        ),
    }


def test_an_exact_separator_recomposes_exactly_and_an_equal_split_does_not(written):
    rows = load(written[1] / "reconstruction.json")["rows"]
    assert rows["Lamella"]["whole"]["mse"]["mean"] < 1e-12
    assert rows["Lamella"]["whole"]["psnr_db"]["mean"] == 120.0
    assert rows["equal split"]["whole"]["mse"]["mean"] > 1e-7
    assert rows["Lamella"]["layers"]["psnr"] > rows["equal split"]["layers"]["psnr"]


def test_faulty_masks_are_counted_apart(written):
    """One of the two overlapping joints of the manifest has its masks exchanged."""
    row = load(written[1] / "reconstruction.json")["rows"]["Lamella"]
    assert (row["joints"], row["joints_with_faulty"]) == (1, 2)


def test_results_hold_no_joint_name(written):
    _, out = written
    for path in out.glob("reconstruction*"):
        content = path.read_bytes()
        assert b"00003_L_13" not in content
        assert b"visit0" not in content
    with (out / "reconstruction_images.csv").open(encoding="utf-8") as file:
        assert {line["manifest_row"] for line in csv.DictReader(file)} == {"2", "3"}


def test_a_manifest_without_overlap_cannot_be_compared(tmp_path: Path):
    manifest = joints.write_manifest(
        tmp_path / "dev.json", {"00001_R_1": [joints.phantom(jsw_mm=1.2, seed=1)]}
    )
    with pytest.raises(LamellaError, match="expected overlapping joints with sound masks"):
        reconstruction.compare(ROWS, manifest, tmp_path / "out")


def test_real_joints_are_drawn_on_request_by_row_number(manifest, tmp_path):
    (case,) = reconstruction.real_cases(manifest, [2])
    np.testing.assert_array_equal(case.masks["upper"], joints.phantom().masks["upper"])
    assert panels({"Lamella": shipped("exact")}, [case], tmp_path) == [tmp_path / "row_2.png"]


def test_a_folder_is_evaluated_by_its_manifest(manifest, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(reconstruction, "compare", lambda *given: seen.append(given) or "table")
    assert reconstruction.evaluate(manifest.parent, tmp_path) == "table"
    assert seen[0][1:] == (manifest, tmp_path)
    assert list(seen[0][0])[-1] == "Lamella"
