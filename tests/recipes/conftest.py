"""A handful of phantoms as a data folder in the ``mcp`` layout, written once."""

from pathlib import Path

import pytest

import joints
from lamella.recipes.healthivert import tiny
from lamella.training.spine_material import SpineMaterial


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train.json`` with four joints: three without overlap, one (with two visits) with it."""
    folder = tmp_path_factory.mktemp("mcp")
    open_joints = {f"0000{k}_R_{k}": [joints.phantom(jsw_mm=1.2, seed=k)] for k in (1, 2, 3)}
    crossed = {"00004_L_13": [joints.phantom(), joints.phantom(noise_seed=1)]}
    joints.write_manifest(folder / "train.json", open_joints | crossed)
    return folder


@pytest.fixture(scope="session")
def spine_material(tmp_path_factory: pytest.TempPathFactory) -> SpineMaterial:
    """Three coarse spine phantoms of three levels: two train, one judges."""
    return SpineMaterial(None, tmp_path_factory.mktemp("spine-pool"), tiny(None).amounts)
