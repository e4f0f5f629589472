"""Pictures of the straight spine for the page's script: one volume, read in any direction.

Volumes travel as 8-bit PNGs, (down) x (left, back): one tile per sagittal slice, so that the
script can cut sagittal and coronal slices from the same pixels. What is pseudo-healthy travels
as its difference from what is there, modulo 256, which is 0 almost everywhere.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from lamella.physics.vertebra_zones import zone_weights
from lamella.records import VERSE_IDS, ZONES, MeasuredBody, Vertebra, Zones
from lamella.report.spine_case import SpineCase, SpinePictures
from lamella.report.spine_words import millimetres, status
from lamella.types import LevelVolume, Places, Volume

LOW_HU, STEP_HU = -400.0, 6.0
WINDOW_MM = 44.0
"""Of the straight spine shown above and below a vertebra's centre."""

NEAR_MM = 4.0


def payload(case: SpineCase) -> dict[str, Any]:
    """What the page's script needs: volumes, labels, and each vertebra's window and lines."""
    pictures = case.pictures
    shown = shades(pictures.hu)
    return {
        "size": list(pictures.ids.shape),
        "corner": [round(edge, 3) for edge in pictures.corner_mm],
        "spacing": pictures.spacing_mm,
        "hu": {"low": LOW_HU, "step": STEP_HU},
        "before": None if shown is None else tiles(shown),
        "after": changed(shown, shades(pictures.hu_after)),
        "ids": tiles(pictures.ids),
        "ids_after": changed(pictures.ids, pictures.ids_after),
        "vertebrae": [_view(each, pictures) for each in case.reading_order],
    }


def shades(hu: Volume | None) -> np.ndarray | None:
    """8-bit codes of attenuation: ``round((HU + 400) / 6)``, clipped: -400 to 1130 HU."""
    if hu is None:
        return None
    return np.asarray(np.rint(np.clip((hu - LOW_HU) / STEP_HU, 0.0, 255.0)), np.uint8)


def changed(before: np.ndarray | None, after: np.ndarray | None) -> str | None:
    """What has to be added to ``before``, modulo 256, to get ``after``; None without both."""
    if before is None or after is None:
        return None
    return tiles(np.asarray(after - before, np.uint8))


def tiles(volume: np.ndarray) -> str:
    """A volume (left, down, back) as a grey PNG of (down) x (left, back)."""
    left, down, back = volume.shape
    flat = np.ascontiguousarray(np.moveaxis(volume, 1, 0)).reshape(down, left * back)
    buffer = io.BytesIO()
    PillowImage.fromarray(flat).save(buffer, format="PNG", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def height_lines(vertebra: Vertebra, pictures: SpinePictures) -> list[dict[str, Any]]:
    """Each third's height as a line in the straight frame, its length the height that is stated.

    A line joins the mean places of both endplates over the third's columns. The healthy height
    stands where the pseudo-healthy vertebra is, or is stated only.
    """
    body, healthy = vertebra.body, vertebra.healthy
    if body is None or body.refused is not None:
        return []
    lines = []
    for zone, ends in zip(ZONES, _ends(body), strict=True):
        placed = pictures.to_straight(ends)
        told = None if healthy is None else healthy.heights_mm.of(zone)
        after = None if told is None else _healthy_line(vertebra, pictures, placed, told)
        lines.append(
            {
                "zone": zone,
                "text": millimetres(body.heights_mm.of(zone)),
                "told": None if told is None else millimetres(told),
                "before": _rounded(placed),
                "after": None if after is None else _rounded(after),
            }
        )
    return lines


def _view(vertebra: Vertebra, pictures: SpinePictures) -> dict[str, Any]:
    """Where the script finds a vertebra."""
    number = VERSE_IDS[vertebra.level]
    middle = _middle(vertebra, pictures)
    return {
        "level": vertebra.level,
        "id": number,
        "status": status(vertebra),
        "middle": [round(float(part), 2) for part in middle],
        "reach": WINDOW_MM,
        "made": bool(vertebra.generated and pictures.hu_after is not None),
        "lines": height_lines(vertebra, pictures),
    }


def _middle(vertebra: Vertebra, pictures: SpinePictures) -> Places:
    """Centre of the body, or of the label where nothing was measured."""
    if vertebra.body is not None and vertebra.body.refused is None:
        return pictures.to_straight(vertebra.body.frame.centre_mm[None])[0]
    where = np.argwhere(pictures.ids == VERSE_IDS[vertebra.level])
    centre = where.mean(axis=0) if len(where) else np.array(pictures.ids.shape) / 2
    places = np.array(pictures.corner_mm) + pictures.spacing_mm * centre
    return np.array([0.0, places[1], 0.0])


def _ends(body: MeasuredBody) -> list[Places]:
    """Lower and upper end of each third's line, RAS mm, (2, 3); as long as the height stated."""
    drawn = body.height_map
    depth, width = _extent(drawn.posterior_mm, body.depth_mm), _extent(drawn.left_mm, body.width_mm)
    weights = zone_weights(drawn.posterior_mm, drawn.left_mm, drawn.heights_mm, depth, width)
    return [
        body.frame.to_world(_line(body, weight, height))
        for weight, height in zip(weights, _thirds(body.heights_mm), strict=True)
    ]


def _line(body: MeasuredBody, weight: np.ndarray, height_mm: float) -> Places:
    """A line of a third in the vertebra's frame, (posterior, left, cranial) mm."""
    drawn = body.height_map
    part = weight / max(float(weight.sum()), 1e-9)
    back = float((part.sum(axis=1) * drawn.posterior_mm).sum())
    left = float((part.sum(axis=0) * drawn.left_mm).sum())
    middle = float((part * np.nan_to_num(drawn.upper_mm + drawn.lower_mm)).sum()) / 2
    half = height_mm / 2
    return np.array([[back, left, middle + half], [back, left, middle - half]])


def _extent(places_mm: np.ndarray, length_mm: float) -> tuple[float, float]:
    middle = float(places_mm[0] + places_mm[-1]) / 2
    return middle - length_mm / 2, middle + length_mm / 2


def _thirds(heights: Zones) -> list[float]:
    return [heights.of(zone) for zone in ZONES]


def _healthy_line(
    vertebra: Vertebra, pictures: SpinePictures, observed: Places, height_mm: float
) -> Places | None:
    """A line of the healthy height about the middle of the pseudo-healthy vertebra there."""
    if not vertebra.generated or pictures.ids_after is None:
        return None
    middle = _middle_after(pictures.ids_after, VERSE_IDS[vertebra.level], observed, pictures)
    along = observed[1] - observed[0]
    half = 0.5 * height_mm * along / np.linalg.norm(along)
    return np.stack([middle - half, middle + half])


def _middle_after(
    ids: LevelVolume, number: int, observed: Places, pictures: SpinePictures
) -> Places:
    """The observed line's middle, moved down or up to the middle of the label around it."""
    middle = observed.mean(axis=0)
    reach = NEAR_MM / pictures.spacing_mm
    left, _, back = pictures.index(middle)
    sides = [slice(max(int(at - reach), 0), int(at + reach) + 1) for at in (left, back)]
    rows = np.flatnonzero((ids[sides[0], :, sides[1]] == number).mean(axis=(0, 2)) >= 0.5)
    if len(rows):
        middle = middle.copy()
        middle[1] = pictures.corner_mm[1] + pictures.spacing_mm * (rows[0] + rows[-1]) / 2
    return middle


def _rounded(places: Places) -> list[list[float]]:
    return [[round(float(part), 2) for part in place] for place in places]
