"""Joints for the tests: phantoms made once a run, manifests of them, a separator without network.

Phantoms are frozen and shared between tests: nobody may write into their arrays.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from lamella.io.datasets import JointRow, LoadedJoint
from lamella.methods.shares.calibrate import Calibration
from lamella.methods.shares.infer import separate_scene
from lamella.physics.phantoms import JointPhantom, JointPhantomSpec, joint_phantom
from lamella.prepare.scene import scene
from lamella.records import Radiograph
from lamella.types import Absorbance, BoneStack, Image, Mask

GREY = 1 / 255
SPACING_MM = 0.082


@lru_cache(maxsize=32)
def phantom(**spec: Any) -> JointPhantom:
    """A joint phantom by the fields of its spec; overlapping unless told otherwise."""
    return joint_phantom(JointPhantomSpec(**({"jsw_mm": -1.0} | spec)))


def coarse_phantom(**spec: Any) -> JointPhantom:
    """The same field of view at twice the spacing, 128 x 128."""
    return phantom(**({"rows": 128, "cols": 128, "pixel_spacing_mm": 2 * SPACING_MM} | spec))


def radiograph_of(joint: JointPhantom, **changes: Any) -> Radiograph:
    """The phantom's radiograph with its spacing."""
    fields = {"pixels": joint.intensity, "pixel_spacing_mm": joint.spec.pixel_spacing_mm}
    return Radiograph(**(fields | {"grey_level": GREY} | changes))


def write_manifest(path: Path, joints: Mapping[str, Sequence[JointPhantom]]) -> Path:
    """Write phantoms as a manifest in the ``mcp`` layout: joint name -> its visits."""
    rows = []
    for name, visits in joints.items():
        folder = path.parent / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, visit in enumerate(visits):
            pictures = {"image": np.round(visit.intensity * 255).astype(np.uint8), **visit.masks}
            row = {"joint": name}
            for kind, pixels in pictures.items():
                file = folder / f"visit{number}_{kind}.png"
                PillowImage.fromarray(pixels).save(file)
                row[kind] = str(file.relative_to(path.parent))
            rows.append(row)
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def loaded(joint: JointPhantom, name: str = "00001_R_2") -> LoadedJoint:
    """A phantom as if it had been read from a manifest."""
    return LoadedJoint(
        row=JointRow(joint=name, image=Path(), upper=Path(), lower=Path()),
        pixels=(np.round(joint.intensity * 255) / 255).astype(np.float32),
        upper=joint.masks["upper"],
        lower=joint.masks["lower"],
    )


def says(share: float = 0.0, log_sd: float = -2.0, correction: float = 0.0) -> Any:
    """A share network that says the same everywhere: (B, 4, H, W) -> (B, 3, H, W)."""

    def run(features: np.ndarray) -> np.ndarray:
        batch, _, rows, cols = features.shape
        output = np.array([share, log_sd, correction], np.float32)
        return np.broadcast_to(output[:, None, None], (batch, 3, rows, cols)).copy()

    return run


def estimate_saying(**said: float) -> Any:
    """The estimate of a separation task, made by a network that says the same everywhere."""

    def estimate(
        absorbance: Absorbance, masks: Sequence[Mask], spacing_mm: float
    ) -> tuple[Absorbance, BoneStack, Image]:
        joint = scene(absorbance, masks, spacing_mm)
        return separate_scene(joint, says(**said), Calibration.none())

    return estimate
