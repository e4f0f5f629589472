"""What the page's script gets of one joint: images, shares, outlines and a ruler."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamella.records import Layers
from lamella.report import images, wording
from lamella.types import Image, Mask


def bone_key(name: str) -> str:
    """Key of a bone's image and share on the page; never that of another layer."""
    return f"bone-{name}"


def payload(layers: Layers, pictures: Mapping[str, Image]) -> dict[str, Any]:
    """Pixels and outlines for the script; identical images are stored once.

    Args:
        layers: the separation.
        pictures: key -> intensity image (row, col).
    """
    return {
        **_stored_once(pictures),
        "shares": {bone_key(name): _share_image(layers, name) for name in layers.bone_absorbance},
        "outlines": {bone_key(name): _outline(mask) for name, mask in layers.masks.items()},
        "overlap": _outline(layers.masks.overlap),
        "seams": {
            bone_key(name): _outline(layers.masks.overlap & mask)
            for name, mask in layers.masks.items()
        },
        "size": images.page_size(layers.radiograph.shape),
        "source": layers.radiograph.shape,
        "levels": wording.source_levels(layers.radiograph.grey_level),
        "start": _start_pixel(layers.masks.overlap),
        "ruler": _ruler(layers),
    }


def _stored_once(pictures: Mapping[str, Image]) -> dict[str, dict[str, str]]:
    stored: dict[str, str] = {}
    seen: dict[str, str] = {}
    same: dict[str, str] = {}
    for key, values in pictures.items():
        image = images.png_data_uri(images.codes(images.reduced(values)))
        if image in seen:
            same[key] = seen[image]
        else:
            stored[key] = image
            seen[image] = key
    return {"images": stored, "same": same}


def _share_image(layers: Layers, name: str) -> str:
    total = np.sum(list(layers.bone_absorbance.values()), axis=0)
    share = np.divide(
        layers.bone_absorbance[name], total, out=np.zeros_like(total), where=total > 0
    )
    return images.png_data_uri(images.codes(images.reduced(share)))


def _outline(mask: Mask) -> str:
    return images.outline_path(images.reduced(mask.astype(np.float32)) > 0.5)


def _start_pixel(overlap: Mask) -> tuple[int, int]:
    """Where the read-out begins: the overlap pixel nearest its centroid, else the centre."""
    if not overlap.any():
        return (overlap.shape[0] // 2, overlap.shape[1] // 2)
    pixels = np.argwhere(overlap)
    nearest = pixels[np.argmin(((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1))]
    return (int(nearest[0]), int(nearest[1]))


def _ruler(layers: Layers) -> dict[str, Any]:
    """Length of one source pixel and its unit, for the scale bar."""
    spacing_mm = layers.radiograph.pixel_spacing_mm
    if spacing_mm is None:
        return {"per_pixel": 1.0, "unit": "px"}
    return {"per_pixel": spacing_mm, "unit": "mm"}
