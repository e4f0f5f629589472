"""Spine phantoms: CT volumes whose labels, heights and fractures are known exactly."""

from lamella.physics.phantoms.spine.phantom import SpinePhantom, spine_phantom
from lamella.physics.phantoms.spine.spec import SpinePhantomSpec

__all__ = ["SpinePhantom", "SpinePhantomSpec", "spine_phantom"]
