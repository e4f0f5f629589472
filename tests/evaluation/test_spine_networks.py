"""Trained generators of a folder become drawers."""

import pytest

import cohorts
import spines
import straight_spines
from lamella.evaluation.spine_drawers import Wanted
from lamella.evaluation.spine_networks import trained_drawers, trained_files
from lamella.io.write import write_json
from lamella.records import LamellaError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    for variant, planes in (("exact", ("sagittal", "coronal")), ("coarse-only", ("sagittal",))):
        for plane in planes:
            cohorts.write_generator(place / variant / plane, variant, plane)
    write_json(place / "exact" / "recipe.json", {"kind": "healthivert"})
    return place


def test_variants_are_found_with_the_planes_they_have(folder):
    found = trained_files(folder)
    assert set(found) == {"exact", "coarse-only"}
    assert found["exact"].coronal.name == "exact-coronal.onnx"
    assert found["coarse-only"].coronal is None
    assert found["exact"].classifier is None


def test_each_draws_what_its_network_draws(folder):
    straight = straight_spines.spine(
        {name: straight_spines.Block() for name in ("T12", "L1", "L2")}
    )
    wanted = Wanted(
        straight=straight, level="L1", told=spines.told(spines.alike(30.0)), abnormal={}
    )
    for drawer in trained_drawers(folder).values():
        made = drawer(wanted)
        assert made.healthy.heights_mm.whole == pytest.approx(24.0, abs=0.6)


def test_a_folder_without_networks_says_so(tmp_path):
    with pytest.raises(LamellaError, match="lamella train healthivert"):
        trained_files(tmp_path)
