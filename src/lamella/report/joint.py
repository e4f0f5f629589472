"""One separated joint as the page's context: pictures to store, numbers and words to print."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamella.methods.shares.calibrate import NORMAL_QUANTILE
from lamella.records import IntensityScale, Layers, SpacingSource
from lamella.report import images, pixels, wording
from lamella.types import Image, Mask

HALF_A_GREY_LEVEL = 0.5
TINTS = {"upper": "upper", "lower": "lower"}
OTHER_TINTS = ("third", "fourth", "fifth")


@dataclass(frozen=True, kw_only=True)
class LayerPicture:
    """One image the page can show in a panel and in the wipe."""

    key: str
    label: str
    kind: str
    tint: str
    values: Image
    bone: str | None = None
    tag: str = "synthetic · research use only"


def view(layers: Layers, truth: Mapping[str, Image]) -> dict[str, Any]:
    """Everything the template needs to show one separated joint.

    Args:
        layers: the separation.
        truth: bone name -> its true image (row, col); empty when it is unknown.
    """
    pictures = layer_pictures(layers, truth)
    rows, cols = images.page_size(layers.radiograph.shape)
    described = [_described(picture, place) for place, picture in enumerate(pictures)]
    comparisons = [compared(layers, name, image) for name, image in truth.items()]
    residual, spread = residual_map(layers), spread_map(layers)
    return {
        "rows": rows,
        "cols": cols,
        "layers": described,
        "overlap_px": int(layers.masks.overlap.sum()),
        "saturated_px": int(layers.saturated.sum()),
        "story": story(layers),
        "residual": _without_picture(residual),
        "spread": _without_picture(spread),
        "comparisons": [_without_picture(comparison) for comparison in comparisons],
        "facts": facts(layers),
        "badges": badges(layers),
        "spacing": wording.spacing(layers.radiograph),
        "confidence": layers.masks.confidence,
        "origin": layers.masks.origin,
        "grey_levels": wording.source_levels(layers.radiograph.grey_level),
        "pixels": {
            "layers": described,
            **pixels.payload(layers, {picture.key: picture.values for picture in pictures}),
            "maps": {item["key"]: item["map"] for item in (residual, spread, *comparisons)},
        },
    }


def layer_pictures(layers: Layers, truth: Mapping[str, Image]) -> list[LayerPicture]:
    """Input, each bone, soft tissue, recomposed, and true bones, in the order of the panels."""
    found = [
        LayerPicture(
            key="input",
            label="Input",
            kind="input",
            tint="input",
            values=layers.radiograph.pixels,
            tag="phantom · research use only" if _is_simulated(layers) else "",
        )
    ]
    for name in layers.bone_absorbance:
        key, image = pixels.bone_key(name), layers.bone_image(name)
        found.append(_picture(key, _label(name), layers, image, bone=name))
    found.append(_picture("soft", "Soft tissue", layers, layers.soft_image()))
    found.append(_picture("recomposed", "Recomposed", layers, layers.recompose()))
    return found + [_true_picture(layers, name, image) for name, image in truth.items()]


def residual_map(layers: Layers) -> dict[str, Any]:
    """Input minus recomposition in grey levels of the source, and the sentence that sums it up.

    The colours never spread wider than half a grey level when the residual is below that: a
    smaller one cannot show in the source.
    """
    levels = layers.residual() / layers.radiograph.grey_level
    largest = float(np.abs(levels).max())
    scale = _printed_scale(largest)
    return {
        "key": "residual",
        "largest": wording.at_most(largest),
        "exact": largest < HALF_A_GREY_LEVEL,
        "scale": wording.significant(scale),
        "map": _signed(levels, scale),
        "restored": wording.counted(int(layers.saturated.sum()), "saturated pixel"),
    }


def spread_map(layers: Layers) -> dict[str, Any]:
    """Standard deviation of the shares, and the 90 % half-width in grey levels it implies."""
    largest = float(layers.share_sd.max())
    overlap = layers.masks.overlap
    widths = {
        name: _median(_half_width_levels(layers, name), overlap) for name in layers.bone_absorbance
    }
    return {
        "key": "spread",
        "known": largest > 0,
        "scale": f"{largest:.3f}",
        "middle": f"{largest / 2:.3f}",
        "widest": wording.significant(max(widths.values())),
        "widths": [(name, wording.significant(width)) for name, width in widths.items()],
        "map": {
            "image": images.png_data_uri(images.codes(images.reduced(layers.share_sd), largest)),
            "scale": largest,
            "colours": "amount",
        },
    }


def compared(layers: Layers, name: str, truth: Image) -> dict[str, Any]:
    """One bone image against its truth where bones overlap (over the bone if they do not).

    ``RMSE = sqrt(mean((L - L_true)^2))``, ``PSNR = -20 log10(RMSE)`` for intensities in [0, 1];
    coverage is the part of the pixels where ``|L - L_true| <= 1.645 SD``.
    """
    error = layers.bone_image(name) - truth
    overlap = layers.masks.overlap
    region = overlap if overlap.any() else layers.masks[name]
    rmse = float(np.sqrt(np.mean(error[region] ** 2)))
    inside = np.abs(error) <= NORMAL_QUANTILE * layers.share_sd_in_intensity(name)
    levels = error / layers.radiograph.grey_level
    scale = _printed_scale(float(np.quantile(np.abs(levels[region]), 0.995)))
    return {
        "key": f"error-{name}",
        "bone": name,
        "tint": _tint(layers, name),
        "where": "in the overlap" if overlap.any() else "over the bone",
        "rmse": wording.significant(rmse / layers.radiograph.grey_level),
        "rmse_intensity": f"{rmse:.4f}",
        "psnr": f"{-20.0 * np.log10(rmse):.1f} dB" if rmse > 0 else "no error",
        "coverage": wording.percent(float(inside[region].mean())) if overlap.any() else None,
        "scale": wording.significant(scale),
        "map": _signed(levels, scale),
    }


def story(layers: Layers) -> str:
    """What there was to decide in this image, in one or two sentences."""
    overlap = layers.masks.overlap
    if not overlap.any():
        return (
            "The bones do not overlap in this image: every bone pixel belongs to one bone, and "
            "nothing had to be divided."
        )
    return (
        f"The bones overlap on {wording.counted(int(overlap.sum()), 'pixel')}, "
        f"{wording.percent(float(overlap.mean()))} of the image. There the absorbance is divided "
        "between them, and that division is an estimate. Elsewhere one bone keeps all of it."
    )


def facts(layers: Layers) -> list[tuple[str, str]]:
    """Term and description for the joint's table of provenance."""
    radiograph, masks = layers.radiograph, layers.masks
    rows, cols = radiograph.shape
    size = f"{wording.count(rows)} × {wording.count(cols)} pixels"
    if images.page_size(radiograph.shape) != radiograph.shape:
        shown = " × ".join(map(str, images.page_size(radiograph.shape)))
        size += f", reduced to {shown} for this page; numbers are from the full size"
    return [
        ("Image", size),
        ("Pixel spacing", wording.spacing(radiograph)),
        ("Pixel values", str(radiograph.intensity_scale)),
        ("Source grey levels", f"steps of 1/{wording.source_levels(radiograph.grey_level)}"),
        ("Segmentation", f"{masks.origin}, confidence {masks.confidence:.2f}"),
        ("Method", layers.method),
        ("Overlap", wording.counted(int(masks.overlap.sum()), "pixel")),
        ("Saturated", wording.counted(int(layers.saturated.sum()), "pixel")),
    ]


def badges(layers: Layers) -> list[tuple[str, str]]:
    """Kind (alert, warning, note) and text of what a reader must see beside the image."""
    masks, radiograph = layers.masks, layers.radiograph
    found = [("alert", f"segmentation refused: {masks.refused}")] if masks.refused else []
    found += [("alert", flag) for flag in masks.flags]
    found += [("warning", warning) for warning in radiograph.warnings]
    if radiograph.pixel_spacing_mm is None:
        found.append(("warning", "spacing unknown: no millimetres"))
    if layers.saturated.any():
        saturated = wording.counted(int(layers.saturated.sum()), "saturated pixel")
        found.append(("warning", f"{saturated}: absorbance there is a lower bound"))
    return found


def _picture(
    key: str, label: str, layers: Layers, values: Image, bone: str | None = None
) -> LayerPicture:
    tint = key if bone is None else _tint(layers, bone)
    kind = key if bone is None else "bone"
    return LayerPicture(key=key, label=label, kind=kind, tint=tint, values=values, bone=bone)


def _true_picture(layers: Layers, name: str, image: Image) -> LayerPicture:
    return LayerPicture(
        key=f"true-{name}",
        label=f"True {name} bone",
        kind="truth",
        tint=_tint(layers, name),
        values=np.asarray(image, np.float32),
        bone=name,
        tag="phantom truth · research use only",
    )


def _described(picture: LayerPicture, place: int) -> dict[str, Any]:
    words = {"input": "The radiograph as given", "truth": "Known from the phantom"}
    what = words.get(picture.kind, "Synthetic image, research use only")
    shown = {name: value for name, value in vars(picture).items() if name != "values"}
    return {**shown, "place": place, "alt": f"{picture.label}. {what}."}


def _label(name: str) -> str:
    return f"{name.capitalize()} bone"


def _tint(layers: Layers, name: str) -> str:
    if name in TINTS:
        return TINTS[name]
    others = [bone for bone in layers.bone_absorbance if bone not in TINTS]
    return OTHER_TINTS[others.index(name) % len(OTHER_TINTS)] if name in others else "soft"


def _without_picture(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "map"}


def _is_simulated(layers: Layers) -> bool:
    radiograph = layers.radiograph
    return (
        radiograph.intensity_scale is IntensityScale.SIMULATED
        or radiograph.spacing_source is SpacingSource.PHANTOM
    )


def _printed_scale(largest: float) -> float:
    """End of a signed colour bar: two digits, so that what is printed is what is drawn."""
    return float(wording.at_most(max(largest, HALF_A_GREY_LEVEL)))


def _signed(levels: Image, scale: float) -> dict[str, Any]:
    picture = images.png_data_uri(images.signed_codes(images.reduced(levels), scale))
    return {"image": picture, "scale": scale, "colours": "signed"}


def _half_width_levels(layers: Layers, name: str) -> Image:
    """Half-width of the 90 % interval of a bone image in grey levels: ``1.645 SD / step``."""
    step = layers.radiograph.grey_level
    return np.asarray(NORMAL_QUANTILE * layers.share_sd_in_intensity(name) / step, np.float32)


def _median(values: Image, region: Mask) -> float:
    return float(np.median(values[region])) if region.any() else 0.0
