"""Draw the README's picture from a phantom: what goes in, what comes apart.

Run: python examples/readme_picture.py [docs/images/layers.png]
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import lamella
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom

phantom = joint_phantom(JointPhantomSpec(jsw_mm=-0.9, flexion_deg=4.0, seed=8))
radiograph = lamella.Radiograph(pixels=phantom.intensity, pixel_spacing_mm=0.082)
layers = lamella.separate(radiograph)
panels = {
    "radiograph": radiograph.pixels,
    "upper bone": layers.bone_image("upper"),
    "lower bone": layers.bone_image("lower"),
    "soft tissue": layers.soft_image(),
    "recomposed": layers.recompose(),
}
figure = Figure(figsize=(15, 3.3), facecolor="#0b0d10")
for axes, (title, image) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
    axes.imshow(image, cmap="gray", vmin=0.0, vmax=0.85, interpolation="bicubic")
    axes.set_title(title, color="#d8dee6", fontsize=13)
    axes.set_axis_off()
    if title in ("radiograph", "upper bone", "lower bone"):
        for name, colour in (("upper", "#ff9d45"), ("lower", "#58b7ff")):
            if title == "radiograph" or title.startswith(name):
                axes.contour(layers.masks[name], [0.5], colors=[colour], linewidths=0.8)
figure.subplots_adjust(left=0.005, right=0.995, top=0.88, bottom=0.01, wspace=0.03)
target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/layers.png")
figure.savefig(target, dpi=90)
error = np.abs(layers.residual()).max()
print(f"{target.name}: recomposition error {error:.1e}")
