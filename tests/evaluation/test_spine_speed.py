"""Timing whole processes, on small spines."""

import json
from dataclasses import replace

import pytest

import cohorts
from lamella.evaluation.spine_speed import NAME, evaluate, timed, write_whole
from lamella.io.volume import read_ct, read_labels
from lamella.records import LamellaError

SPEC = replace(cohorts.SPEC, spacing_mm=3.0)
FIELD = (70, 70, 60)


def test_the_phantom_lies_in_the_middle_of_its_field(tmp_path):
    ct, labels, shape = write_whole(tmp_path, SPEC, FIELD)
    assert shape[:2] == FIELD[:2]
    assert shape[2] >= FIELD[2]
    volume, found = read_ct(ct), read_labels(labels)
    assert volume.shape == shape
    assert found.levels == SPEC.levels
    phantom = cohorts.spine_phantom(SPEC)
    assert (found.ids > 0).sum() == (phantom.labels.ids > 0).sum()
    assert found.affine[:3, :3] == pytest.approx(phantom.labels.affine[:3, :3])
    assert abs(volume.hu[:5, :5].mean() - 40.0) < 5.0


@pytest.mark.slow
def test_both_runs_are_timed_from_the_start_of_the_process(tmp_path):
    small = tmp_path / "abdomen_3mm"
    small.mkdir()
    _, labels, _ = write_whole(small, SPEC, FIELD)
    labels.rename(small / "totalseg_vertebrae_pp_refined.nii.gz")
    table = evaluate(tmp_path, tmp_path / "out", SPEC, FIELD, options=("--no-generate",))
    figures = json.loads((tmp_path / "out" / f"{NAME}.json").read_text())["figures"]
    assert len(figures) == 4
    for figure in figures.values():
        assert 0.05 < figure["value"] < 60.0
    assert "70 x 70" in table


def test_a_run_that_fails_is_not_timed(tmp_path):
    with pytest.raises(LamellaError, match="a timed run failed"):
        timed(tmp_path / "none.nii.gz", tmp_path / "none.nii.gz", tmp_path / "out")
