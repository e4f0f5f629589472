"""Pictures of a comparison: each visit once, how to lay it on the baseline, and the residuals.

The page draws the follow-up with the inverse of a bone's motion, so one stored picture serves
every registration. Its brightness is brought to the baseline's for viewing only:
``v' = (v - low_f) (high_b - low_b) / (high_f - low_f) + low_b`` with the 5th and 95th percentiles
over both bones.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from lamella.records import JointVisit, Narrowing, RegisteredBone, Similarity
from lamella.report import images, wording
from lamella.types import Image

LONGEST_SIDE_PX = 512
PERCENTILES = (5.0, 95.0)
NEAR_LARGEST = 99.5
LEAST_SCALE = 0.15
"""Absorbance at the ends of the residual's colours, at least: noise alone stays dark."""
TRANSPARENT = 0


def payload(found: Sequence[Narrowing | None]) -> dict[str, Any] | None:
    """What the page's script needs to show a joint's visits; None when none was registered."""
    known = [each for each in found if each is not None]
    if not known:
        return None
    baseline = known[0].baseline
    rows, cols = page_size(baseline.radiograph.shape)
    return {
        "size": [rows, cols],
        "baseline": images.png_data_uri(images.codes(sized(baseline.radiograph.pixels))),
        "followups": [None if each is None else _followup(each) for each in found],
        "per_pixel_mm": baseline.radiograph.pixel_spacing_mm,
        "source_cols": baseline.radiograph.shape[1],
    }


def residuals(found: Narrowing) -> dict[str, Any] | None:
    """Each bone's residual as a coloured picture, both on one scale; None when there is none.

    The scale is ``LEAST_SCALE`` unless residuals are larger, so bones that match look alike on
    every page and one that does not stands out.
    """
    maps = {name: bone.residual for name, bone in found.bones.items()}
    known = {name: values for name, values in maps.items() if values is not None}
    sizes = [np.abs(values[np.isfinite(values)]) for values in known.values()]
    if not any(size.size for size in sizes):
        return None
    scale = max(float(np.percentile(np.concatenate(sizes), NEAR_LARGEST)), LEAST_SCALE)
    return {
        "scale": wording.significant(scale),
        "bones": [
            {"name": name, "image": coloured(values, scale), **_summed(values, found.bones[name])}
            for name, values in known.items()
        ],
    }


def page_size(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns on the page: at most 512 on a side, aspect kept."""
    factor = min(1.0, LONGEST_SIDE_PX / max(shape))
    return (max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor)))


def sized(values: Image, way: PillowImage.Resampling = PillowImage.Resampling.BOX) -> np.ndarray:
    """A map at the size of the page."""
    rows, cols = page_size((values.shape[0], values.shape[1]))
    if (rows, cols) == values.shape:
        return values
    return np.asarray(
        PillowImage.fromarray(np.asarray(values, np.float32)).resize((cols, rows), way)
    )


def coloured(values: Image, scale: float) -> str:
    """A signed map as a PNG with the diverging colours; what is NaN is transparent."""
    small = sized(values, PillowImage.Resampling.NEAREST)
    codes = images.signed_codes(np.nan_to_num(small), scale)
    picture = PillowImage.fromarray(np.where(np.isfinite(small), codes, TRANSPARENT).astype("u1"))
    picture.putpalette(images.diverging_map().tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", transparency=TRANSPARENT, optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def laid_on(
    motion: Similarity, page_per_px: float = 1.0, page_per_px_later: float = 1.0
) -> list[float]:
    """The canvas transform (a, b, c, d, e, f) that brings a follow-up onto the baseline.

    Args:
        motion: where the bone's pixels of the baseline lie at the follow-up.
        page_per_px: pixels of the page per pixel of the baseline.
        page_per_px_later: the same for the follow-up.
    """
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5]])
    origin, right, down = motion.inverse().of_points(corners)[:, ::-1] + 0.5
    zoom = page_per_px / page_per_px_later
    steps = (*(zoom * (right - origin)), *(zoom * (down - origin)), *(page_per_px * origin))
    return [round(float(step), 6) for step in steps]


def like_baseline(found: Narrowing) -> Image:
    """The follow-up's pixels at the baseline's brightness and contrast."""
    low, high = _ends(found.baseline)
    low_later, high_later = _ends(found.followup)
    gain = (high - low) / max(high_later - low_later, 1e-6)
    pixels = (found.followup.radiograph.pixels - low_later) * gain + low
    return np.asarray(np.clip(pixels, 0.0, 1.0), np.float32)


def _followup(found: Narrowing) -> dict[str, Any]:
    scales = [
        page_size(visit.radiograph.shape)[1] / visit.radiograph.shape[1]
        for visit in (found.baseline, found.followup)
    ]
    frames = {name: laid_on(bone.motion, *scales) for name, bone in found.bones.items()}
    return {
        "image": images.png_data_uri(images.codes(sized(like_baseline(found)))),
        "frames": {**frames, "taken": laid_on(Similarity(), *scales)},
        "ruler": found.jsn_mm is not None,
    }


def _ends(visit: JointVisit) -> tuple[float, float]:
    bones = np.any(list(visit.masks.values()), axis=0)
    low, high = np.percentile(visit.radiograph.pixels[bones], PERCENTILES)
    return float(low), float(high)


def _summed(values: Image, bone: RegisteredBone) -> Mapping[str, str]:
    size = float(np.sqrt(np.mean(values[np.isfinite(values)] ** 2)))
    match = f", match {bone.ncc:.3f}" if np.isfinite(bone.ncc) else ""
    return {"words": f"RMS {wording.significant(size)}{match}"}
