"""Phantom joints for the tasks, made once."""

import pytest

import joints
from lamella.physics.phantoms import JointPhantom


@pytest.fixture(scope="session")
def overlapping() -> JointPhantom:
    """A joint whose bones overlap, 256 x 256 at the networks' own spacing."""
    return joints.phantom()


@pytest.fixture(scope="session")
def coarse() -> JointPhantom:
    """A joint whose bones overlap, 128 x 128 at twice that spacing."""
    return joints.coarse_phantom()
