"""Layers multiply in transmittance and add in absorbance: make a joint, take it apart by hand.

Run: python examples/01_image_formation.py
"""

import numpy as np

from lamella.physics.formation import absorbance, intensity, superpose
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom

phantom = joint_phantom(JointPhantomSpec(jsw_mm=-0.4, seed=3))
bones = np.stack([phantom.bone_absorbance["upper"], phantom.bone_absorbance["lower"]])
joint = intensity(superpose(phantom.soft_absorbance, bones))
difference = np.abs(joint - phantom.clean_intensity).max()
print(f"the layers make the radiograph: largest difference {difference:.1e}")

overlap = phantom.masks["upper"] & phantom.masks["lower"]
observed = absorbance(phantom.clean_intensity, grey_level=1 / 255)
left = observed - phantom.soft_absorbance - phantom.bone_absorbance["lower"]
error = np.abs(left - phantom.bone_absorbance["upper"])[overlap].max()
print(f"{overlap.sum()} pixels overlap; what is known subtracted leaves the upper to {error:.1e}")
