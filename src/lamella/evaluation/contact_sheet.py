"""Real and synthetic joints side by side, to look at.

Of phantoms this may be shown; of a data set's joints it shows patients: draw it on the machine
that holds the data, and publish nothing of it.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lamella.evaluation.realism_pairs import RealismPair, pairs_of
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom
from lamella.records import Radiograph
from lamella.types import Image
from lamella.zoo.verbs import adjustable, separate

CELL_INCH = 2.2
DPI = 100
PAIRS_A_LINE = 3
PHANTOMS = 6
WIDTHS_MM = (-0.8, -0.2, 0.4, 1.0, 1.6, 2.2)


def contact_sheet(pairs: Sequence[RealismPair], file: Path) -> Path:
    """Draw pairs, three a line: the image as it was, and at another width.

    Args:
        pairs: to draw.
        file: PNG to write.
    """
    lines = -(-len(pairs) // PAIRS_A_LINE)
    figure = Figure(figsize=(CELL_INCH * 2 * PAIRS_A_LINE, CELL_INCH * lines), layout="tight")
    axes = figure.subplots(lines, 2 * PAIRS_A_LINE, squeeze=False).ravel()
    for cell in axes:
        cell.axis("off")
    for number, pair in enumerate(pairs):
        _show(axes[2 * number], pair.real.pixels, f"{number + 1}: as it was")
        _show(axes[2 * number + 1], pair.synthetic.pixels, f"{number + 1}: another width")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=DPI)
    return file


def phantom_pairs(count: int = PHANTOMS) -> list[RealismPair]:
    """Pairs of phantoms of different widths, at each other's width."""
    joints = []
    for number in range(count):
        spec = JointPhantomSpec(jsw_mm=WIDTHS_MM[number % len(WIDTHS_MM)], seed=number)
        phantom = joint_phantom(spec)
        radiograph = Radiograph(
            pixels=phantom.intensity, pixel_spacing_mm=spec.pixel_spacing_mm, grey_level=1 / 255
        )
        layers = separate(radiograph, phantom.masks)
        joints.append((f"phantom {number + 1}", adjustable(layers)))
    return pairs_of(joints)


def _show(axes: Axes, pixels: Image, title: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0.05, vmax=0.95)
    axes.set_title(title, fontsize=7)
