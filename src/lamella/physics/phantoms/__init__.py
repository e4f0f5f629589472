"""Phantoms: radiographs whose layers, masks and measurements are known exactly."""

from lamella.physics.phantoms.joint import (
    JointPhantom,
    JointPhantomSpec,
    joint_phantom,
    placement,
    random_joint_phantom,
    silhouettes,
)

__all__ = [
    "JointPhantom",
    "JointPhantomSpec",
    "joint_phantom",
    "placement",
    "random_joint_phantom",
    "silhouettes",
]
