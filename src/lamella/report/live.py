"""A separated joint as the page moves it: what its script gets, and what its section says.

The script does what :class:`lamella.tasks.synthesis.AdjustableJoint` does, from the same maps: it
finds the pose of a wanted width on the contours, samples cubic B-splines of the bones and adds
absorbances. Maps are stored so finely that its pixels equal those of ``lamella.synthesize`` to a
grey level of 255. Bones continue beyond the image by reflection, so only the image is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.records import BoneEnd, LamellaError, Layers
from lamella.report import images, packing, wording
from lamella.tasks import joint_width, synthesis
from lamella.tasks.synthesis import AdjustableJoint
from lamella.types import Image, Mask, PaddedImage
from lamella.zoo.verbs import adjustable

STYLES = ("live.css",)
SCRIPTS = ("live_geometry.js", "live_drawing.js", "live_files.js", "live.js")

Side = Literal["R", "L"]

FINEST_ABSORBANCE = 2e-4
FINEST_GRAIN = 1e-4
FINEST_MATTE = 1e-4
WIDEST_JSW_MM = 3.0
NARROWEST_JSW_MM = -1.5
MOST_SHIFT_MM = 3.0
MOST_TURN_DEG = 15.0
STEP_MM = 0.01
STEP_PX = 0.1
TINTS = ("upper", "lower")
POINT_DECIMALS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class PageMaps:
    """Maps of a joint on the page's grid, (row, col); those of bones top bone first.

    Args:
        soft: absorbance of the soft tissue.
        grain: of the soft tissue.
        splines: cubic B-spline coefficients of each bone.
        mattes: of each bone.
        silhouettes: of each bone, its outline at one half.
        air: beside the finger.
        margin_px: how far the bones continue beyond the image.
    """

    soft: Image
    grain: Image
    splines: Sequence[PaddedImage]
    mattes: Sequence[PaddedImage]
    silhouettes: Sequence[PaddedImage]
    air: Mask
    margin_px: int


def of_layers(layers: Layers, name: str, side: Side | None = None) -> dict[str, Any]:
    """The section of a separated joint; one line instead where it cannot be moved."""
    try:
        return view(adjustable(layers), name, side)
    except LamellaError as problem:
        return {"problem": wording.one_line(str(problem)), "payload": None}


def view(joint: AdjustableJoint, name: str, side: Side | None = None) -> dict[str, Any]:
    """What the template and the script need to show one joint that moves.

    Args:
        joint: ready to be moved.
        name: safe to show.
        side: of the body; the radiograph's own when None.
    """
    radiograph = joint.layers.radiograph
    side = side or radiograph.laterality
    rows, cols = images.page_size(radiograph.shape)
    spacing_mm = radiograph.pixel_spacing_mm
    return {
        "problem": None,
        "rows": rows,
        "cols": cols,
        "side": side,
        "unit": "px" if spacing_mm is None else "mm",
        "spacing": wording.spacing(radiograph),
        "reduced": (rows, cols) != radiograph.shape,
        "bones": [
            {"name": bone, "tint": tint} for bone, tint in zip(joint.names, TINTS, strict=True)
        ],
        "sliders": sliders(joint),
        "flags": joint.joint_space.flags,
        "payload": payload(joint, name, side),
    }


def sliders(joint: AdjustableJoint) -> list[dict[str, Any]]:
    """The three controls of the pose, in mm where the spacing is known, in px where it is not."""
    spacing_mm = joint.layers.radiograph.pixel_spacing_mm
    to_unit = 1.0 / NOMINAL_SPACING_MM if spacing_mm is None else 1.0
    step = STEP_PX if spacing_mm is None else STEP_MM
    width = joint.joint_space.jsw_px * (spacing_mm or 1.0)
    lowest = min(to_unit * NARROWEST_JSW_MM, np.floor(width) - 0.5 * to_unit)
    highest = max(to_unit * WIDEST_JSW_MM, np.ceil(width) + 0.5 * to_unit)
    unit = "px" if spacing_mm is None else "mm"
    return [
        _slider("jsw", "Joint space width", (lowest, highest, step, width), unit),
        _slider("shift", "Lateral shift", _both_ways(to_unit * MOST_SHIFT_MM, step), unit),
        _slider("rotation", "Rotation", _both_ways(MOST_TURN_DEG, 0.1), "°"),
    ]


def payload(joint: AdjustableJoint, name: str, side: Side | None) -> dict[str, Any]:
    """The joint as the page's script reads it; lengths in pixels of the source."""
    radiograph, space = joint.layers.radiograph, joint.joint_space
    maps = page_maps(joint)
    spacing_mm = radiograph.pixel_spacing_mm
    known = spacing_mm is not None
    return {
        "name": name,
        "side": side,
        "size": maps.soft.shape,
        "source": radiograph.shape,
        "margin": maps.margin_px,
        "spacing": spacing_mm,
        "spacing_source": str(radiograph.spacing_source),
        "unit": "mm" if known else "px",
        "square": "mm²" if known else "px²",
        "start": {"jsw_px": space.jsw_px, "window": _window(radiograph.pixels)},
        "frame": {"origin": space.frame.origin_px, "axis": space.frame.axis},
        "sd": {"offset_px": space.jsw_sd_px, "extreme_px": space.minimum_sd_px},
        "rules": _rules(joint),
        "bones": [_bone(joint, maps, place) for place in range(len(joint.names))],
        "soft": packing.packed_map(maps.soft, FINEST_ABSORBANCE),
        "grain": packing.packed_map(maps.grain, FINEST_GRAIN),
        "air": packing.packed_mask(maps.air) if maps.air.any() else None,
    }


def page_maps(joint: AdjustableJoint) -> PageMaps:
    """The joint's maps at the size of the page: as they are, or averaged over areas."""
    shape = joint.soft.shape
    inner = tuple(slice(joint.margin_px, joint.margin_px + side) for side in shape)
    mattes = [part[inner] for part in joint.mattes]
    silhouettes = [part[inner] for part in joint.silhouettes]
    page_shape = images.page_size((shape[0], shape[1]))
    if page_shape == shape:
        splines = [part[inner] for part in joint.splines]
        margin_px = joint.margin_px
    else:
        splines = [_spline(images.reduced(_bone_map(part)[inner])) for part in joint.splines]
        margin_px = int(np.ceil(joint.margin_px * max(page_shape) / max(shape)))
    return PageMaps(
        soft=images.reduced(joint.soft),
        grain=images.reduced(joint.grain),
        splines=splines,
        mattes=[images.reduced(part) for part in mattes],
        silhouettes=[images.reduced(part) for part in silhouettes],
        air=images.reduced(joint.air.astype(np.float32)) >= 0.5,
        margin_px=margin_px,
    )


def _bone_map(splines: PaddedImage) -> PaddedImage:
    """What cubic B-spline coefficients stand for, on their own grid."""
    for axis in (0, 1):
        splines = ndimage.convolve1d(splines, (1 / 6, 4 / 6, 1 / 6), axis, mode="mirror")
    return splines


def _spline(values: Image) -> PaddedImage:
    return np.asarray(
        ndimage.spline_filter(values, synthesis.SPLINE_ORDER, output=np.float32, mode="mirror")
    )


def _rules(joint: AdjustableJoint) -> dict[str, float]:
    """The constants of the measurement and of what is refused."""
    spacing_mm = joint.layers.radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM
    return {
        "profile_step_px": joint_width.PROFILE_STEP_PX,
        "least_shared_px": joint_width.LEAST_SHARED_MM / spacing_mm,
        "search_steps": synthesis.SEARCH_STEPS,
        "close_enough_px": synthesis.CLOSE_ENOUGH_PX,
        "farthest_px": joint.margin_px - synthesis.SPLINE_REACH_PX,
        "most_over_air": synthesis.MOST_OVER_AIR,
    }


def _bone(joint: AdjustableJoint, maps: PageMaps, place: int) -> dict[str, Any]:
    name = joint.names[place]
    around = np.pad(maps.silhouettes[place] >= 0.5, maps.margin_px, mode="reflect")
    return {
        "name": name,
        **_end(joint.ends[name]),
        "spline": packing.packed_map(maps.splines[place], FINEST_ABSORBANCE),
        "matte": packing.packed_map(maps.mattes[place], FINEST_MATTE),
        "silhouette": packing.packed_map(maps.silhouettes[place], FINEST_MATTE),
        "outline": images.outline_path(around),
    }


def _end(end: BoneEnd) -> dict[str, Any]:
    return {
        "arc": np.round(end.arc_px, POINT_DECIMALS).tolist(),
        "extent": np.round(end.extent_px, POINT_DECIMALS).tolist(),
        "direction": end.direction,
    }


def _window(pixels: Image) -> tuple[float, float]:
    """Level and width, in per cent, that spread the image over the grey scale."""
    low, high = np.quantile(pixels, (0.02, 0.998))
    return (float(round(50.0 * (low + high))), float(round(max(108.0 * (high - low), 10.0))))


def _both_ways(most: float, step: float) -> tuple[float, float, float, float]:
    return (-most, most, step, 0.0)


def _slider(
    key: str, label: str, numbers: tuple[float, float, float, float], unit: str
) -> dict[str, Any]:
    """``numbers``: lowest, highest, step and first value."""
    low, high, step, value = (float(number) for number in numbers)
    return {
        "key": key,
        "label": label,
        "spoken": label,
        "tint": "",
        "unit": unit,
        "low": low,
        "high": high,
        "step": step,
        "value": round(value, 4),
    }
