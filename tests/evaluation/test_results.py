"""Tables and files of an evaluation."""

import numpy as np

from lamella import __version__
from lamella.evaluation.results import load, markdown_table, save
from lamella.zoo.models import weights_sha256


def test_a_table_has_a_row_each_and_two_decimals_for_floats():
    table = markdown_table(["method", "PSNR"], [["none", 12.344], ["Lamella", 40], ["n", "x"]])
    assert table.splitlines() == [
        "| method | PSNR |",
        "| --- | --- |",
        "| none | 12.34 |",
        "| Lamella | 40 |",
        "| n | x |",
    ]


def test_numpys_floats_are_floats_too():
    assert "| 0.12 |" in markdown_table(["value"], [[np.float64(0.1234)]])


def test_what_is_saved_is_loaded_again_with_what_it_was_made_with(tmp_path):
    table = markdown_table(["a"], [["1"]])
    out = tmp_path / "new" / "folder"
    assert save(out, "layers", {"psnr": 31.5, "cases": {"n": 3}}, table) == table
    assert (out / "layers.md").read_text(encoding="utf-8") == table
    found = load(out / "layers.json")
    assert found["psnr"] == 31.5
    assert found["cases"] == {"n": 3}
    assert found["made_with"]["lamella"] == __version__
    assert found["made_with"]["weights_sha256"] == weights_sha256()


def test_results_name_no_place_on_this_machine(tmp_path):
    save(tmp_path, "layers", {"psnr": 1.0}, "table")
    assert str(tmp_path) not in (tmp_path / "layers.json").read_text(encoding="utf-8")


def test_a_second_evaluation_replaces_the_first(tmp_path):
    save(tmp_path, "layers", {"psnr": 1.0}, "one")
    save(tmp_path, "layers", {"psnr": 2.0}, "two")
    assert load(tmp_path / "layers.json")["psnr"] == 2.0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["layers.json", "layers.md"]
