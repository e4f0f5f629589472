"""Random phantom joints for the shipped networks, made once."""

import numpy as np
import pytest

from lamella.physics.phantoms import JointPhantom, random_joint_phantom


@pytest.fixture(scope="session")
def random_joints() -> list[JointPhantom]:
    """Three random phantoms whose bones overlap."""
    return [
        random_joint_phantom(np.random.default_rng([77, number]), jsw_mm=-0.4 * (1 + number))
        for number in range(3)
    ]
