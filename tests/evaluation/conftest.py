"""Tiny benchmarks: a manifest of phantoms and one known joint, made once."""

from dataclasses import replace
from pathlib import Path

import pytest

import joints
from lamella.evaluation.cases import closed_joints, phantom_joints
from lamella.prepare.overlap import KnownLayers
from lamella.records import Radiograph


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``dev.json`` with two joints without overlap, one with it, and one with wrong masks."""
    crossed, wrong = joints.phantom(), joints.phantom(noise_seed=1)
    swapped = {"upper": wrong.masks["lower"], "lower": wrong.masks["upper"]}
    return joints.write_manifest(
        tmp_path_factory.mktemp("mcp") / "dev.json",
        {
            "00001_R_1": [joints.phantom(jsw_mm=1.2, seed=1)],
            "00002_R_2": [joints.phantom(jsw_mm=1.2, seed=2)],
            "00003_L_13": [crossed],
            "00004_L_3": [replace(wrong, masks=swapped)],
        },
    )


@pytest.fixture(scope="session")
def closed_cases(manifest: Path) -> list[tuple[KnownLayers, Radiograph]]:
    """Synthetic overlaps of the manifest's joints."""
    return list(closed_joints(manifest))


@pytest.fixture(scope="session")
def phantom_case() -> tuple[KnownLayers, Radiograph]:
    """One overlapping phantom."""
    return next(phantom_joints(1))
