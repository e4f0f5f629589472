"""Training material: real joints from a data folder, phantoms, and pictures of other things."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.io.datasets import LoadedJoint, joint_rows, load_joint, mask_faults
from lamella.physics.phantoms import JointPhantom, random_joint_phantom

EVEN_JSW_MM = (-1.5, 3.2)
EVERYDAY = ("camera", "coins", "page", "text", "moon", "astronaut", "chelsea", "coffee", "brick")


def sound_joints(manifest: Path) -> list[LoadedJoint]:
    """Joints of a manifest whose masks can be right (:func:`~lamella.io.datasets.mask_faults`)."""
    loaded = (load_joint(row) for row in track(joint_rows(manifest), "reading joints"))
    return [joint for joint in loaded if not mask_faults(joint.upper, joint.lower)]


def phantoms(count: int, seed: int, even_fraction: float = 0.0) -> Iterable[JointPhantom]:
    """``count`` random joint phantoms, phantom ``i`` from (seed, i) alone.

    Args:
        count: of phantoms.
        seed: of all of them.
        even_fraction: part whose joint space width is spread evenly over ``EVEN_JSW_MM``, the
            others' are as common as in adults with rheumatoid disease.
    """
    for number in track(range(count), "making phantoms"):
        rng = np.random.default_rng([seed, number])
        even = number < even_fraction * count
        fixed = {"jsw_mm": float(rng.uniform(*EVEN_JSW_MM))} if even else {}
        yield random_joint_phantom(rng, **fixed)


def everyday_images() -> list[np.ndarray]:
    """Grey photographs inside scikit-image's own package, (256, 256) uint8: none shows a joint."""
    from skimage import color, data, transform, util

    images = []
    for name in EVERYDAY:
        image = getattr(data, name)()
        grey = color.rgb2gray(image) if image.ndim == 3 else util.img_as_float(image)
        side = min(grey.shape)
        images.append(transform.resize(grey[:side, :side], (256, 256), anti_aliasing=True))
    return [np.round(255 * image).astype(np.uint8) for image in images]
