"""Lamella takes bone images apart into layers and measures them. Research use only.

>>> import lamella
>>> from lamella.physics.phantoms import joint_phantom
>>> phantom = joint_phantom()
>>> radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.082)
>>> layers = lamella.separate(radiograph)
>>> layers.bone_image("upper").shape
(256, 256)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamella.io import read as read
    from lamella.io import read_ct as read_ct
    from lamella.io import read_labels as read_labels
    from lamella.io import read_mask as read_mask
    from lamella.records import BoneMasks as BoneMasks
    from lamella.records import CTVolume as CTVolume
    from lamella.records import JointSpace as JointSpace
    from lamella.records import LamellaError as LamellaError
    from lamella.records import Layers as Layers
    from lamella.records import Narrowing as Narrowing
    from lamella.records import Radiograph as Radiograph
    from lamella.records import SpineAssessment as SpineAssessment
    from lamella.records import SpineLabels as SpineLabels
    from lamella.records import SyntheticJoint as SyntheticJoint
    from lamella.zoo.narrowing import narrowing as narrowing
    from lamella.zoo.spine import assess_spine as assess_spine
    from lamella.zoo.verbs import adjustable as adjustable
    from lamella.zoo.verbs import joint_space as joint_space
    from lamella.zoo.verbs import segment as segment
    from lamella.zoo.verbs import separate as separate
    from lamella.zoo.verbs import synthesize as synthesize

__version__ = "0.1.0"

_HOMES = {
    "read": "lamella.io",
    "read_ct": "lamella.io",
    "read_labels": "lamella.io",
    "read_mask": "lamella.io",
    "BoneMasks": "lamella.records",
    "CTVolume": "lamella.records",
    "LamellaError": "lamella.records",
    "JointSpace": "lamella.records",
    "Layers": "lamella.records",
    "Narrowing": "lamella.records",
    "Radiograph": "lamella.records",
    "SpineAssessment": "lamella.records",
    "SpineLabels": "lamella.records",
    "SyntheticJoint": "lamella.records",
    "adjustable": "lamella.zoo.verbs",
    "assess_spine": "lamella.zoo.spine",
    "joint_space": "lamella.zoo.verbs",
    "narrowing": "lamella.zoo.narrowing",
    "segment": "lamella.zoo.verbs",
    "separate": "lamella.zoo.verbs",
    "synthesize": "lamella.zoo.verbs",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first used, so that ``import lamella`` is instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lamella' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
