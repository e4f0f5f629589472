"""Two visits of one joint: how much has its space narrowed, how sure, and when is no answer given.

Run: python examples/04_narrowing_between_visits.py
"""

from dataclasses import replace

import lamella
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom


def seen(spec: JointPhantomSpec) -> lamella.Radiograph:
    """A phantom's radiograph; another ``noise_seed`` is another day."""
    pixels = joint_phantom(spec).intensity
    return lamella.Radiograph(pixels=pixels, pixel_spacing_mm=0.082, grey_level=1 / 255)


first = JointPhantomSpec(jsw_mm=0.6, seed=11)
baseline = seen(first)
for narrower_mm in (0.0, 0.03, 0.3, 0.9):
    later = replace(first, jsw_mm=first.jsw_mm - narrower_mm, noise_seed=12)
    change = lamella.narrowing(baseline, seen(later))
    low, high = change.interval_mm or (float("nan"), float("nan"))
    print(f"true {narrower_mm:.2f} mm, measured {change.jsn_mm:+.3f} ({low:+.3f} to {high:+.3f})")

someone_else = replace(first, seed=23, noise_seed=24)
print(lamella.narrowing(baseline, seen(someone_else)).refused)
