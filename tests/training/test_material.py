"""The pools of a manifest: who trains, who judges, and that nobody does both."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import joints
from lamella.records import LamellaError
from lamella.training import material as module
from lamella.training.material import Amounts, Material
from lamella.training.overlaps import NOBODY

FEW = Amounts(closings_per_image=2, exchanges_per_image=2, phantoms=1, seed=0)
NAMES = ("00001_R_1", "00002_R_2", "00003_R_3", "00004_L_13")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    """Three joints without overlap, the first also with one, and a fourth that always overlaps."""
    visits = {
        name: [joints.phantom(jsw_mm=1.2, seed=seed)]
        for seed, name in enumerate(NAMES[:3], start=1)
    }
    visits[NAMES[0]].append(joints.phantom(noise_seed=1))
    visits[NAMES[3]] = [joints.phantom(), joints.phantom(noise_seed=2)]
    reordered = dict(reversed(visits.items()))
    return joints.write_manifest(tmp_path_factory.mktemp("mcp") / "train.json", reordered)


@pytest.fixture(scope="module")
def made(manifest, tmp_path_factory) -> tuple[Material, list]:
    """The material with its pools made, and who was exchanged with whom on the way."""
    material, exchanges, whose = Material(manifest, tmp_path_factory.mktemp("pool"), FEW), [], {}

    def apart(joint):
        known = real_apart(joint)
        whose[id(known)] = (joint.row.joint, known)
        return known

    def exchange(known, other, numbers, rng):
        exchanges.append((whose[id(known)][0], whose[id(other)][0], numbers))
        return real_exchange(known, other, numbers, rng)

    real_apart, real_exchange = module.taken_apart, module.exchange
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "taken_apart", apart)
        patch.setattr(module, "exchange", exchange)
        _ = material.closed, material.real, material.judged
    return material, exchanges


@pytest.fixture(scope="module")
def material(made) -> Material:
    return made[0]


def test_joints_are_numbered_by_name_not_by_their_place_in_the_manifest(material):
    assert material.joint_numbers == {name: number for number, name in enumerate(NAMES)}
    assert material.numbers_of([NAMES[2], "somebody else", NAMES[0]]) == {0, 2}


def test_training_and_selecting_joints_are_apart_and_together_all(material):
    training, selecting = material.split()
    assert training | selecting == {0, 1, 2, 3}
    assert not training & selecting
    assert selecting <= {0, 1, 2}
    assert selecting


def test_pools_hold_what_they_are_named_for(material):
    assert material.closed.known.all()
    assert material.judged.known.all()
    assert not material.real.known.any()
    assert sorted(material.real.joints.tolist()) == [[0, 0], [3, 3], [3, 3]]
    assert {tuple(pair) for pair in material.judged.joints.tolist()} <= {(0, 0), (1, 1), (2, 2)}
    own = (material.closed.joints[:, 0] == material.closed.joints[:, 1]).sum()
    assert 2 < own <= 2 * 3 + FEW.phantoms


def test_exchanges_carry_the_numbers_of_both_their_joints(made):
    material, exchanges = made
    assert len(exchanges) == 3 * FEW.exchanges_per_image
    for keeps, lends, numbers in exchanges:
        assert keeps != lends
        assert numbers == (material.joint_numbers[keeps], material.joint_numbers[lends])


def test_no_selecting_joint_is_seen_in_training(material):
    """Its closings, bones lent by it or to it, and its real overlaps all stay out."""
    training, selecting = material.split()
    for pool in (material.closed, material.real):
        shown = set(pool.joints[pool.of_joints(training)].ravel().tolist())
        assert shown <= training | {NOBODY}
        assert not shown & selecting
    assert material.closed.of_joints(training).size


def test_judged_overlaps_are_not_those_that_train(material):
    trained = {maps.tobytes() for maps in np.asarray(material.closed.maps)}
    assert not trained & {maps.tobytes() for maps in np.asarray(material.judged.maps)}


def never(*_: object) -> None:
    pytest.fail("made again")


def test_pools_are_made_once(material, manifest, monkeypatch):
    for name in ("taken_apart", "closings", "phantom_overlap", "real_overlap"):
        monkeypatch.setattr(module, name, never)
    again = Material(manifest, material.cache, FEW)
    for name in ("closed", "real", "judged"):
        kept, before = getattr(again, name), getattr(material, name)
        assert isinstance(kept.maps, np.memmap)
        np.testing.assert_array_equal(kept.maps, before.maps)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"closings_per_image": 3}, {"phantoms": 2}])
def test_other_amounts_or_seeds_have_pools_of_their_own(material, manifest, monkeypatch, changes):
    monkeypatch.setattr(module, "taken_apart", never)
    with pytest.raises(pytest.fail.Exception, match="made again"):
        _ = Material(manifest, material.cache, replace(FEW, **changes)).judged


def test_another_seed_closes_joints_otherwise(material, manifest, tmp_path):
    other = Material(manifest, tmp_path, replace(FEW, seed=1))
    again = Material(manifest, tmp_path / "same", FEW)
    np.testing.assert_array_equal(again.judged.maps, material.judged.maps)
    shapes = other.judged.maps.shape == material.judged.maps.shape
    assert not (shapes and np.array_equal(other.judged.maps, material.judged.maps))


def test_images_of_another_size_are_refused_in_one_line(tmp_path):
    small = joints.write_manifest(tmp_path / "train.json", {"1_R_1": [joints.coarse_phantom()]})
    with pytest.raises(LamellaError, match="256 x 256 pixels"):
        _ = Material(small, tmp_path / "pool", Amounts()).joints
