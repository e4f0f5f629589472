"""A CT becomes a radiograph whose layers are known; overlapping vertebrae are taken apart again.

Run: python examples/05_vertebrae_as_layers.py
"""

import numpy as np

from lamella.physics.attenuation import project
from lamella.physics.formation import absorbance, split_by_shares
from lamella.physics.phantoms.spine import SpinePhantomSpec, spine_phantom

phantom = spine_phantom(SpinePhantomSpec(levels=("T12", "L1"), spacing_mm=1.5, seed=3))
oblique = np.array([0.3, -0.6, -0.74])  # from the front and well above
truth = project(phantom.ct, phantom.labels, oblique).layers()

masks, radiograph = truth.masks, truth.radiograph
rows, cols = radiograph.shape
print(f"radiograph of {rows} x {cols} pixels, {masks.overlap.sum()} of them in both vertebrae")
print(f"the layers recompose the radiograph to {np.abs(truth.residual()).max():.0e}")

observed = absorbance(radiograph.pixels.astype(np.float64), radiograph.grey_level)
bones = np.stack(list(truth.bone_absorbance.values())).astype(np.float64)
shares = bones / np.maximum(bones.sum(axis=0), 1e-12)
soft, apart = split_by_shares(observed, truth.soft_absorbance.astype(np.float64), shares)

print(f"recomposed: {np.abs(soft + apart.sum(axis=0) - observed).max():.0e} of absorbance lost")
for level, true, found in zip(truth.bone_absorbance, bones, apart, strict=True):
    error = np.abs(found - true)[masks.overlap].max()
    print(f"{level}: true shares give its layer back to {error:.0e} where both overlap")
