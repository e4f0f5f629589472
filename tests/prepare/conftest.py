"""Phantom joints with and without overlap, made once."""

import numpy as np
import pytest

import joints
from lamella.physics.phantoms import JointPhantom
from lamella.prepare.scene import Scene, scene


@pytest.fixture(scope="session")
def apart() -> JointPhantom:
    """A joint whose bones do not overlap, 128 x 128 at 0.164 mm."""
    return joints.coarse_phantom(jsw_mm=1.5)


@pytest.fixture(scope="session")
def overlapping() -> JointPhantom:
    """A joint whose bones overlap, 128 x 128 at 0.164 mm."""
    return joints.coarse_phantom()


@pytest.fixture(scope="session")
def overlapping_scene(overlapping: JointPhantom) -> Scene:
    """What a separator sees of the overlapping joint."""
    observed = -np.log1p(-overlapping.intensity)
    return scene(observed, list(overlapping.masks.values()), overlapping.spec.pixel_spacing_mm)
