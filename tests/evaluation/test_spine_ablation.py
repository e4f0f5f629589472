"""The ablation, end to end on tiny networks."""

import json

import pytest

import cohorts
from lamella.evaluation.spine_ablation import NAME, digest, evaluate
from lamella.evaluation.spine_drawers import AS_IT_IS, STRETCHED
from lamella.records import LamellaError


@pytest.mark.slow
def test_variants_are_scored_and_compared_with_the_complete_one(tmp_path):
    networks = tmp_path / "runs"
    for variant in ("exact", "without-edges"):
        cohorts.write_generator(networks / variant / "sagittal", variant, "sagittal")
    spines = cohorts.coarse_spines(1, 2)
    table = evaluate(None, tmp_path / "out", networks, spines=spines, processes=1)
    found = json.loads((tmp_path / "out" / f"{NAME}.json").read_text())
    assert set(found["drawn"]) == {"exact", "without-edges", STRETCHED, AS_IT_IS}
    assert set(found["difference"]) == {"without-edges", STRETCHED, AS_IT_IS}
    assert found["difference"]["without-edges"]["dice"]["mean"] == pytest.approx(0.0)
    assert set(found["losses"]) == {"exact", "without-edges"}
    assert found["losses"]["exact"]["vertebrae"] == len(spines[0].targets)
    assert "minus exact" in table


def test_other_weights_are_another_question(tmp_path):
    cohorts.write_generator(tmp_path / "a", "exact", "sagittal")
    first = digest(tmp_path)
    cohorts.write_generator(tmp_path / "b", "exact", "coronal")
    assert digest(tmp_path) != first


def test_networks_must_be_named(tmp_path):
    with pytest.raises(LamellaError, match="--networks"):
        evaluate(None, tmp_path)
