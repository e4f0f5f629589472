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


def still_joints_are_the_radiograph(joint) -> None:
    """A joint whose bones do not move is the image it was made from, to rounding."""
    from lamella.records import Pose

    image = joint.layers.radiograph.pixels
    error = np.abs(joint.at(Pose()).image - image)[~joint.layers.saturated]
    assert error.max() <= 1e-6


def displacement_is_the_change_of_width(joint, displacement_mm: float) -> None:
    """A translation by d along the joint axis changes the axial width by d."""
    from lamella.records import Pose

    spacing_mm = joint.layers.radiograph.pixel_spacing_mm
    moved = joint.space_at(Pose(along_px=displacement_mm / spacing_mm))
    change_mm = moved.jsw_mm - joint.joint_space.jsw_mm
    assert abs(change_mm - displacement_mm) <= 1e-6


def smoothed(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """The image without what is finer than ``sigma_px``."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, sigma_px)


def within(mask: np.ndarray, reach_px: int) -> np.ndarray:
    """Pixels at most so far from a mask."""
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, iterations=reach_px)


def core(mask: np.ndarray, depth_px: int) -> np.ndarray:
    """Pixels of a mask so far inside it."""
    from scipy.ndimage import binary_erosion

    return binary_erosion(mask, iterations=depth_px)
