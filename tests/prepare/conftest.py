"""Phantom joints with and without overlap, made once."""

import pytest

import joints
from lamella.physics.phantoms import JointPhantom


@pytest.fixture(scope="session")
def apart() -> JointPhantom:
    """A joint whose bones do not overlap, 128 x 128 at 0.164 mm."""
    return joints.coarse_phantom(jsw_mm=1.5)


@pytest.fixture(scope="session")
def overlapping() -> JointPhantom:
    """A joint whose bones overlap, 128 x 128 at 0.164 mm."""
    return joints.coarse_phantom()
