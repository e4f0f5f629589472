"""Phantom joints as training material, made once."""

import pytest

import joints
from lamella.physics.phantoms import JointPhantom
from lamella.training.spine_phantoms import PhantomChance, PhantomCrops
from lamella.training.spine_pool import SpinePool


@pytest.fixture(scope="session")
def apart() -> JointPhantom:
    """A joint whose bones do not overlap, 256 x 256."""
    return joints.phantom(jsw_mm=1.2)


@pytest.fixture(scope="session")
def overlapping() -> JointPhantom:
    """A joint whose bones overlap, 256 x 256."""
    return joints.phantom()


@pytest.fixture(scope="session")
def spine_pool() -> SpinePool:
    """Healthy and fractured vertebrae of two coarse spine phantoms, three levels each."""
    chance = PhantomChance(fractured=0.5, spacing_mm=(2.5, 3.0), whole_trunk=0.0)
    made = [PhantomCrops(seed=1, number=number, chance=chance, levels=3)() for number in (0, 1)]
    return SpinePool(crops=tuple(crop for crops in made for crop in crops))
