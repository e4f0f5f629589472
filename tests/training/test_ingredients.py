"""Ingredients: what judges a run is never what trains it, and every batch is of what trains."""

import numpy as np
import pytest

import joints
from lamella.records import LamellaError
from lamella.training.bls_gan_data import Drawing
from lamella.training.ingredients import Ingredients, drawer, judging
from lamella.training.material import Amounts, Material

FEW = Amounts(closings_per_image=1, exchanges_per_image=0, phantoms=0)
SMALL = Drawing(size=2, crop_px=(64, 96))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mcp")
    names = {f"0000{k}_R_{k}": [joints.phantom(jsw_mm=1.2, seed=k)] for k in (1, 2, 3)}
    return Material(joints.write_manifest(folder / "train.json", names), folder / "pool", FEW)


def test_only_selecting_joints_judge(material):
    training, selecting = material.split()
    learns_from = Ingredients(materials=((material, training),), judged=(material, selecting))
    pool, at = judging(learns_from)
    assert at.size
    assert set(pool.joints[at].ravel().tolist()) <= selecting


def test_batches_are_drawn_as_asked_and_repeat(material):
    training, selecting = material.split()
    draw = drawer(
        Ingredients(materials=((material, training),), judged=(material, selecting)), SMALL
    )
    one, two = (draw(np.random.default_rng(3)) for _ in range(2))
    assert one.absorbance.shape == (2, 64, 96)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_nothing_to_train_on_is_refused_in_one_line(material):
    with pytest.raises(LamellaError, match="no overlap to train on"):
        drawer(Ingredients(materials=((material, set()),), judged=(material, {0})), SMALL)
