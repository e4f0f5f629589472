"""Everything known about a synthetic joint, as its JSON file keeps it.

Places are (row, col) in pixels, (0, 0) being the centre of the first pixel; nothing is rounded, so
what is read back equals what was synthesised.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from lamella.records import JointSpace, SyntheticJoint


def annotation_of(joint: SyntheticJoint) -> dict[str, Any]:
    """Measures, pose, motions, contours, landmarks and width profile of a synthetic joint.

    Returns:
        plain Python values:

        - ``shape``, ``pixel_spacing_mm``, ``pixel_spacing_source``, ``flags``;
        - ``measures``: width, minimum, contact and area in mm, each with its SD;
        - ``pose`` and ``motions`` (bone -> motion), which make the sample again;
        - ``frame``: origin and axis the width is measured in;
        - ``contours``: bone -> articular contour from left to right, ``extents`` likewise;
        - ``landmarks``: name -> place;
        - ``profile``: the width along the joint and which part is central.
    """
    radiograph, space = joint.radiograph, joint.joint_space
    return {
        "shape": list(radiograph.shape),
        "pixel_spacing_mm": radiograph.pixel_spacing_mm,
        "pixel_spacing_source": str(radiograph.spacing_source),
        "flags": [*joint.masks.flags, *space.flags],
        "measures": space.figures(),
        "pose": asdict(joint.pose),
        "motions": {name: asdict(motion) for name, motion in joint.motions.items()},
        "frame": {"origin_px": list(space.frame.origin_px), "axis": list(space.frame.axis)},
        "contours": {name: end.arc_px.tolist() for name, end in space.ends.items()},
        "extents": {name: end.extent_px.tolist() for name, end in space.ends.items()},
        "landmarks": {name: list(place) for name, place in joint.landmarks.items()},
        "profile": profile_of(space),
    }


def profile_of(space: JointSpace) -> dict[str, Any]:
    """The width profile: places across the joint and widths there, in mm where that is known.

    The places are evenly spaced, so only their ends and number are kept.
    """
    spacing_mm = space.pixel_spacing_mm
    widths = {"width_px": space.width_px.tolist()}
    if spacing_mm is not None:
        widths = {"width_mm": (space.width_px * spacing_mm).tolist()}
    inside = np.flatnonzero(space.central)
    return {
        "first_across_px": float(space.across_px[0]),
        "last_across_px": float(space.across_px[-1]),
        "places": len(space.across_px),
        "central_places": [int(inside[0]), int(inside[-1])],
        **widths,
    }
