"""From a radiograph to layers, how sure they are, and how near the truth.

Run: python examples/02_take_a_joint_apart.py
"""

import numpy as np

import lamella
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom

phantom = joint_phantom(JointPhantomSpec(jsw_mm=-0.5, seed=11))
radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.082)

masks = lamella.segment(radiograph)
print(f"confidence {masks.confidence:.2f}, {masks.overlap.sum()} pixels overlap")

layers = lamella.separate(radiograph, masks)
print(f"recomposition differs by {np.abs(layers.residual()).max():.1e} at most")

overlap = phantom.masks["upper"] & phantom.masks["lower"]
for outlines, taken in (("found", layers), ("true", lamella.separate(radiograph, phantom.masks))):
    for name, bone in phantom.bone_absorbance.items():
        true = -np.expm1(-(phantom.soft_absorbance + bone))
        error = 255 * np.sqrt(np.mean((taken.bone_image(name) - true)[overlap] ** 2))
        stated = 255 * taken.share_sd_in_intensity(name)[overlap & taken.masks.overlap].mean()
        print(f"{outlines} outlines, {name}: error {error:.1f} grey levels, stated {stated:.1f}")
