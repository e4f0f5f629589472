"""Do the layers add up on every image? ``lamella evaluate recomposition``."""

from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.evaluation.results import markdown_table, save
from lamella.io.datasets import joint_rows, load_joint, mask_faults
from lamella.records import LamellaError
from lamella.zoo.verbs import separate

BOUND = 1e-5


def evaluate(data: Path, out: Path) -> str:
    """Separate every image of a manifest with its own masks and recompose it.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``recomposition.json`` and ``recomposition.md``.

    Returns:
        a table: images, largest residual, saturated pixels, refused images with the reason.
    """
    residuals, saturated, refused = [], {}, {}
    for row in track(joint_rows(data), "recomposing"):
        joint = load_joint(row)
        name = f"{row.joint}/{row.image.stem}"
        try:
            layers = separate(joint.radiograph, joint.masks)
        except LamellaError as error:
            faults = ", ".join(mask_faults(joint.upper, joint.lower)) or "masks look sound"
            refused[name] = f"{error} ({faults})"
            continue
        residuals.append(float(np.abs(layers.residual()).max()))
        if layers.saturated.any():
            saturated[name] = int(layers.saturated.sum())
    result = {
        "images": len(residuals),
        "largest_residual": max(residuals, default=float("nan")),
        "above_bound": sum(residual > BOUND for residual in residuals),
        "saturated_pixels": saturated,
        "refused": refused,
    }
    rows = [
        ["images separated", str(result["images"])],
        ["largest residual, intensity", f"{result['largest_residual']:.1e}"],
        [f"images above {BOUND:g}", str(result["above_bound"])],
        ["images with saturated pixels", str(len(saturated))],
        ["images refused", str(len(refused))],
    ]
    return save(out, "recomposition", result, markdown_table(["recomposition", ""], rows))
