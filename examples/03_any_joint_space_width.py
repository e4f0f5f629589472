"""Measure a joint space, set it to other widths, and measure again from the new pixels.

Run: python examples/03_any_joint_space_width.py
"""

from dataclasses import replace

import lamella
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom

phantom = joint_phantom(JointPhantomSpec(jsw_mm=0.9, seed=11))
radiograph = lamella.Radiograph(
    pixels=phantom.intensity, pixel_spacing_mm=0.082, grey_level=1 / 255
)
space = lamella.joint_space(radiograph)
print(f"true width {phantom.jsw_mm:.2f} mm, measured {space.jsw_mm:.2f} ± {space.jsw_sd_mm:.2f} mm")

bones = lamella.adjustable(lamella.separate(radiograph))
for wanted_mm in (-0.4, 0.3, 1.2, 2.4):
    joint = lamella.synthesize(bones, jsw_mm=wanted_mm)
    seen = replace(radiograph, pixels=joint.image)
    again = lamella.joint_space(seen).jsw_mm
    print(f"asked for {wanted_mm:+.2f} mm, contours {joint.jsw_mm:+.2f}, from pixels {again:+.2f}")
