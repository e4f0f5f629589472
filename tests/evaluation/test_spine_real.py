"""The evaluation on real spines, on phantoms that lie where the real ones would."""

import json
from dataclasses import replace

import pytest

import cohorts
from lamella.evaluation import spine_real
from lamella.evaluation.spine_drawers import AS_IT_IS, as_it_is
from lamella.evaluation.spine_real import NAME, evaluate, outcome, vertebra_table
from lamella.evaluation.spine_virtual import BETWEEN
from lamella.io.volume import write_volume
from lamella.physics.phantoms.spine import spine_phantom

LUMBAR = replace(
    cohorts.SPEC, levels=("L1", "L2", "L3", "L4"), spacing_mm=3.0, fractures={}, seed=11
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spine")
    lumbar, single = spine_phantom(LUMBAR), spine_phantom(replace(LUMBAR, levels=("T12",)))
    places = {
        "abdomen_3mm": (lumbar, "totalseg_vertebrae_pp_refined.nii.gz"),
        "healthivert_0007": (cohorts.phantom(), "0007_msk.nii.gz"),
        "thorax_1p5mm": (single, "vertebrae_T12.nii.gz"),
        "crop_l3_1p5mm": (lumbar, "vertebrae.nii.gz"),
    }
    for name, (phantom, labels) in places.items():
        (folder / name).mkdir()
        write_volume(phantom.ct, folder / name / "ct.nii.gz")
        write_volume(phantom.labels, folder / name / labels)
    height = lumbar.heights["L2"].anterior
    told = {"results": {"vertebrae_L2_height_anterior_mm": height}}
    (folder / "abdomen_3mm" / "spine_report.json").write_text(json.dumps(told))
    return folder


@pytest.mark.slow
def test_everything_is_said_of_every_spine(data, tmp_path, monkeypatch):
    monkeypatch.setattr(spine_real, "BROKEN", ("L3",))
    table = evaluate(data, tmp_path, drawers={AS_IT_IS: as_it_is}, losses=(0.3,))
    found = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert found["heights"][0]["level"] == "L2"
    assert abs(found["heights"][0]["lamella_mm"] - found["heights"][0]["other_mm"]) < 2.0
    assert found["virtual"][BETWEEN]["vertebrae"] == 3
    assert found["virtual"][BETWEEN]["mae_pp"]["mean"] < 8.0
    assert found["drawn"][AS_IT_IS]["vertebrae"] == 3
    assert found["outcomes"]["thorax_1p5mm"].startswith("refused: ")
    assert found["outcomes"]["crop_l3_1p5mm"].startswith("L1 grade 0")
    assert "L1 |  | +3" in table or "L1 |  | +4" in table


def test_a_fracture_is_named_with_its_probability():
    table = vertebra_table("helper", cohorts.measured())
    assert "| 3 wedge |" in table or "| 2 wedge |" in table


def test_what_cannot_be_assessed_says_why(data):
    said = outcome(data, "thorax_1p5mm/ct.nii.gz", "thorax_1p5mm/vertebrae_T12.nii.gz")
    assert said.startswith("refused: ")
