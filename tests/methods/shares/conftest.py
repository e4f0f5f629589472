"""A scene of two overlapping phantom bones, made once."""

import numpy as np
import pytest

import joints
from lamella.physics.phantoms import JointPhantom
from lamella.prepare.scene import Scene, scene


@pytest.fixture(scope="session")
def overlapping() -> JointPhantom:
    """A joint whose bones overlap, 128 x 128 at 0.164 mm."""
    return joints.coarse_phantom()


def scene_of(phantom: JointPhantom) -> Scene:
    """What a separator sees of a phantom."""
    observed = -np.log1p(-phantom.intensity)
    return scene(observed, list(phantom.masks.values()), phantom.spec.pixel_spacing_mm)


@pytest.fixture(scope="session")
def overlapping_scene(overlapping: JointPhantom) -> Scene:
    """The scene of the overlapping joint."""
    return scene_of(overlapping)


@pytest.fixture(scope="session")
def apart_scene() -> Scene:
    """The scene of a joint whose bones, soft edges included, lie far apart."""
    return scene_of(joints.coarse_phantom(jsw_mm=3.0))
