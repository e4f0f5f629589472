"""The few-labels table: runs are read, compared with their counterpart, and told in words."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from lamella.evaluation.few_labels import ARMS, Cell, evaluate, judged
from lamella.evaluation.width_scores import Reading, Truth
from lamella.recipes.few_labels import Run
from lamella.records import LamellaError
from lamella.training.width_images import narrowing_class, real_images
from lamella.training.width_network import new_network, predict

SMALL = (4, 4, 8, 8)


def write_run(folder, arm: str, percent: float, seed: int) -> None:
    """A run whose networks learned nothing."""
    (folder / "runs").mkdir(exist_ok=True)
    run = Run(arm=arm, percent=percent, seed=seed)
    states = [dict(new_network(10 * seed + stage, SMALL).state_dict()) for stage in (0, 1)]
    entries = asdict(run) | {"about": {"images": 7}, "states": states}
    torch.save(entries, folder / "runs" / run.file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two seeds of both arms at 10 %, and a third seed of one arm alone."""
    folder = tmp_path_factory.mktemp("runs")
    for arm in ("without", "with"):
        for seed in (0, 1):
            write_run(folder, arm, 10.0, seed)
    write_run(folder, "without", 10.0, 2)
    return folder


def test_figures_are_those_of_the_networks_last_weights(folder, manifest, tmp_path):
    table = evaluate(manifest, tmp_path, folder)
    result = json.loads((tmp_path / "few_labels.json").read_text())
    images = real_images(manifest)
    errors = []
    for seed in (0, 1):
        network = new_network(10 * seed + 1, SMALL)
        errors.append(np.abs(predict(network, images).width_mm - images.width_mm).mean())
    entry = result["arms"]["with"]["10"]
    assert entry["mae_mm"]["mean"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert entry["seeds"] == result["arms"]["without"]["10"]["seeds"] == 2
    # Both arms hold the same weights here.
    assert result["gain"]["with"]["10"]["mae_mm"]["mean"] == pytest.approx(0.0, abs=1e-9)
    assert not any(result["gain"]["with"]["10"]["helps"].values())
    assert f"| {ARMS['with']} | 10 % |" in table
    assert result["images"] == len(images) == 3
    for name in ("few_labels.md", "few_labels.png", "few_labels.pdf"):
        assert (tmp_path / name).stat().st_size > 0


def test_a_gain_is_told_where_it_is_sure():
    width = np.random.default_rng(0).normal(0.3, 0.5, 90)
    truth = Truth(width_mm=width, narrowing=narrowing_class(width), joints=np.arange(90))

    def cell(error_mm: float) -> Cell:
        readings = [
            Reading(
                width_mm=(read := width + rng.normal(0, error_mm, 90)),
                narrowing=narrowing_class(read),
            )
            for rng in map(np.random.default_rng, (1, 2, 3))
        ]
        return Cell(images=(5, 6, 7), first=readings, last=readings)

    result = judged({"without": {1.0: cell(0.4)}, "with": {1.0: cell(0.1)}}, truth)
    gain = result["gain"]["with"]["1"]
    assert all(gain["helps"].values())
    assert gain["r2"]["low"] > 0 > gain["mae_mm"]["high"]
    assert result["arms"]["with"]["1"]["training_images"] == [5, 6, 7]
    assert "without" not in result["gain"]
    assert result["label_sd_mm"] == pytest.approx(width.std())


def test_folders_without_runs_and_arms_without_counterpart_are_refused(manifest, tmp_path):
    with pytest.raises(LamellaError, match="lamella train few-labels"):
        evaluate(manifest, tmp_path, tmp_path)
    with pytest.raises(LamellaError, match="lamella train few-labels"):
        evaluate(manifest, tmp_path)
    write_run(tmp_path, "with", 10.0, 0)
    with pytest.raises(LamellaError, match="finish the grid"):
        evaluate(manifest, tmp_path, tmp_path)
