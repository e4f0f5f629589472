"""Laws that every separation must obey, whatever method made it."""

import numpy as np

from lamella.records import Layers


def recomposes(layers: Layers, tolerance: float = 1e-6) -> None:
    """The layers superpose to the radiograph, saturated pixels restored."""
    assert np.abs(layers.recompose() - layers.radiograph.pixels).max() <= tolerance


def is_physical(layers: Layers) -> None:
    """No layer is negative and soft tissue never exceeds what was observed."""
    observed = -np.log1p(
        -np.minimum(layers.radiograph.pixels, 1 - layers.radiograph.grey_level / 2)
    )
    assert layers.soft_absorbance.min() >= 0
    assert (layers.soft_absorbance <= observed + 1e-6).all()
    assert all(bone.min() >= 0 for bone in layers.bone_absorbance.values())


def lone_bones_keep_all(layers: Layers) -> None:
    """Beyond the soft edge of the other bone, a bone's image is the radiograph."""
    from scipy.ndimage import distance_transform_edt

    from lamella.physics.soft_tissue import FADE_MM, PENUMBRA_MM
    from lamella.prepare.grid import JointGrid

    spacing_mm = JointGrid.of(layers.radiograph).native_spacing_mm
    names = list(layers.masks)
    for name, other in (names, names[::-1]):
        away_mm = spacing_mm * distance_transform_edt(~layers.masks[other])
        alone = layers.masks[name] & (away_mm > PENUMBRA_MM + FADE_MM + spacing_mm)
        alone &= ~layers.saturated
        error = np.abs(layers.bone_image(name) - layers.radiograph.pixels)[alone]
        assert error.max() <= 1e-6


def same_layers(first: Layers, second: Layers, tolerance: float = 1e-6) -> None:
    """Two separations agree, bone by bone."""
    assert np.abs(first.soft_absorbance - second.soft_absorbance).max() <= tolerance
    for name, bone in first.bone_absorbance.items():
        assert np.abs(bone - second.bone_absorbance[name]).max() <= tolerance
