"""Phantom joints as training material, made once."""

import pytest

import joints
from lamella.physics.phantoms import JointPhantom


@pytest.fixture(scope="session")
def apart() -> JointPhantom:
    """A joint whose bones do not overlap, 256 x 256."""
    return joints.phantom(jsw_mm=1.2)


@pytest.fixture(scope="session")
def overlapping() -> JointPhantom:
    """A joint whose bones overlap, 256 x 256."""
    return joints.phantom()
