"""A vertebra in its own voxels, in a shape between what was drawn and what is seen.

Networks draw a likely shape, filled with smooth bone. The observed vertebra, stretched to the
heights it should have, keeps its outline and its trabeculae, and the dents of its fracture. Both
are given the same heights; then their surfaces are averaged by signed distance (shape-based
interpolation: Raya and Udupa, IEEE Trans. Med. Imaging 9, 32-42, 1990),

    phi = w phi_drawn + (1 - w) phi_own,

and what is inside is the vertebra's own.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from lamella.methods.healthivert.channels import MIDDLE_ROW, SHAPE
from lamella.methods.healthivert.gap import Site, centred, soft_body
from lamella.methods.healthivert.paste import Content
from lamella.methods.healthivert.sampling import columns
from lamella.methods.healthivert.shape import drawing_of, largest, matched, source_rows
from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.prepare.spine.straight import StraightSpine
from lamella.records.vertebra import Zones
from lamella.types import Volume

SMOOTH_SAMPLES = 0.6
NEAR_SAMPLES, FARTHEST = 1.0, 1.5
LEAST_SLOPE = 0.05
EDGE_SAMPLES = 1.0


def own_content(straight: StraightSpine, site: Site) -> Content:
    """The vertebra as it is, in the frame in which networks draw.

    Args:
        straight: the straight spine, with CT.
        site: of the vertebra in it.
    """
    return Content(site=site, hu=centred(straight, site).hu, probability=soft_body(straight, site))


def in_own_voxels(
    straight: StraightSpine, drawn: Content, wanted_mm: Zones, drawn_shape: float
) -> Content:
    """The vertebra at the wanted heights, in its own voxels and a shape between both.

    Args:
        straight: the straight spine, with CT.
        drawn: what the networks drew of it.
        wanted_mm: mean height of each zone, mm in space.
        drawn_shape: w, 0 to 1.

    Raises:
        LamellaError: no CT, or nothing drawn.
    """
    own = sized(straight, own_content(straight, drawn.site), wanted_mm)
    likely = sized(straight, drawn, wanted_mm)
    distance = drawn_shape * signed_distance(likely.probability)
    distance += (1.0 - drawn_shape) * signed_distance(own.probability)
    soft = np.clip(0.5 + distance / (2.0 * EDGE_SAMPLES), 0.0, 1.0)
    return Content(site=drawn.site, hu=own.hu, probability=soft.astype(np.float32))


def sized(straight: StraightSpine, content: Content, wanted_mm: Zones) -> Content:
    """Content stretched to the wanted heights, its extent centred in the box."""
    drawing, factors = matched(drawing_of(content.probability, straight, content.site), wanted_mm)
    source = source_rows(drawing, factors, np.arange(SHAPE[1]) - MIDDLE_ROW)
    return Content(
        site=content.site,
        hu=columns(content.hu, source, OUTSIDE_HU),
        probability=columns(largest(content.probability), source, 0.0),
    )


def signed_distance(probability: Volume) -> Volume:
    """Distance to the surface at one half, samples of the box, positive inside.

    Within a sample of the surface the probability and its slope tell it to a fraction of a
    sample; farther away it is that of the nearest sample on the other side.

    Args:
        probability: (left, rows, back).
    """
    soft = gaussian_filter(probability, SMOOTH_SAMPLES)
    inside = soft >= 0.5
    within, beyond = distance_transform_edt(inside), distance_transform_edt(~inside)
    far = np.where(inside, within - 0.5, 0.5 - beyond)
    slope = np.sqrt(sum(np.square(along) for along in np.gradient(soft)))
    near = (soft - 0.5) / np.maximum(slope, LEAST_SLOPE)
    return np.where(np.abs(far) < NEAR_SAMPLES, near.clip(-FARTHEST, FARTHEST), far).astype(
        np.float32
    )
