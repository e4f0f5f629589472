"""Joint space narrowing between visits, assembled from tasks and shipped networks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

import numpy as np

from lamella.methods.contour_difference.infer import register_by_contours
from lamella.methods.deep_registration.infer import register_images, register_layers
from lamella.methods.phase_only.infer import register_phase_only
from lamella.methods.registration.infer import register_bones
from lamella.records import JointVisit, LamellaError, Narrowing, Radiograph
from lamella.tasks.joint_narrowing import UNTRIED, Register, Trust, measure_narrowing
from lamella.tasks.joint_width import measure_joint_space
from lamella.tasks.separation import usable_masks
from lamella.types import Mask
from lamella.zoo import models
from lamella.zoo.verbs import EXACT, outline_error, segment, separate


@dataclass(frozen=True, kw_only=True)
class Comparator:
    """A way to compare two visits.

    Args:
        register: finds where each bone went.
        separator: name of the method that takes the radiographs apart first; None: the bones are
            compared as the radiographs show them.
    """

    register: Register
    separator: str | None


def comparators() -> dict[str, Comparator]:
    """Every method by name, the default first.

    The first five register by :mod:`lamella.methods.registration` and differ in what they compare:
    layers of one separator or another, the radiograph as it is, the radiograph but for the
    overlap. ``deep-*`` are the published network, ``phase-only`` is Ou 2023, ``contours`` the
    difference of two joint space widths.
    """
    return {
        EXACT: Comparator(register=register_bones, separator=EXACT),
        "lsn": Comparator(register=register_bones, separator="lsn"),
        "bls-gan": Comparator(register=register_bones, separator="bls-gan"),
        "no-separation": Comparator(
            register=partial(register_bones, overlap_as_seen=True), separator=None
        ),
        "overlap-left-out": Comparator(register=register_bones, separator=None),
        **_deep(),
        "phase-only": Comparator(register=register_phase_only, separator=None),
        "contours": Comparator(register=register_by_contours, separator=None),
    }


def prepare_visit(
    radiograph: Radiograph, masks: Mapping[str, Mask] | None = None, method: str = EXACT
) -> JointVisit:
    """Segment, measure and, where the method wants it, separate one visit; once for many pairs.

    Args:
        radiograph: one finger joint.
        masks: name -> bool (row, col) of both bones; segmented when absent.
        method: of the comparison (:func:`comparators`).

    Raises:
        LamellaError: an image that segmentation refuses, masks that are no joint's, no such
            method.
    """
    separator = comparator(method).separator
    found = usable_masks(radiograph, segment(radiograph) if masks is None else masks)
    space = measure_joint_space(
        found, radiograph.pixel_spacing_mm, outline_error(found), radiograph.spacing_source
    )
    layers = None if separator is None else separate(radiograph, found, separator)
    return JointVisit(radiograph=radiograph, masks=found, space=space, layers=layers)


def narrowing(
    baseline: Radiograph | JointVisit, followup: Radiograph | JointVisit, method: str = EXACT
) -> Narrowing:
    """How much a joint space has narrowed between two visits, and how sure that is.

    Args:
        baseline: the joint at the first visit; as :func:`prepare_visit` makes it when it is
            compared more than once.
        followup: the same joint at another visit.
        method: ``exact``; the others are for comparison (:func:`comparators`).

    Raises:
        LamellaError: an image that is no finger joint, no such method. Visits that cannot be
            compared raise nothing: ``refused`` says why.
    """
    first, second = _visit(baseline, method), _visit(followup, method)
    register = comparator(method).register
    return measure_narrowing(first, second, register, method, trust_in(method))


def trust_in(method: str) -> Trust:
    """When to believe a method, as fitted by ``lamella train narrowing``."""
    fitted = _fitted()["methods"].get(method)
    if fitted is None:
        return UNTRIED
    return Trust(
        **{entry.name: float(fitted[entry.name]) for entry in fields(Trust) if entry.name in fitted}
    )


def comparator(method: str) -> Comparator:
    """The comparator of a name.

    Raises:
        LamellaError: no such method.
    """
    known = comparators()
    if method not in known:
        raise LamellaError(f"expected a method of {', '.join(known)}, got {method!r}")
    return known[method]


def smallest_detectable_mm(method: str) -> float | None:
    """Smallest detectable change of a method, mm; None where nobody has measured it.

    ``1.96 s`` with the standard error ``s`` of one narrowing that the closure of three real visits
    shows (``lamella train narrowing``).
    """
    found = _fitted()["methods"].get(method, {}).get("smallest_detectable_mm")
    return None if found is None else float(found)


def _deep() -> dict[str, Comparator]:
    """The published registration network, on layers and on plain radiographs."""
    shipped = models.names()
    rows = {
        "deep-layers": ("registration-layers", register_layers, EXACT),
        "deep-plain": ("registration-plain", register_images, None),
    }
    return {
        name: Comparator(register=partial(register, runner=partial(_said, network)), separator=how)
        for name, (network, register, how) in rows.items()
        if network in shipped
    }


def _said(network: str, batch: np.ndarray) -> np.ndarray:
    return models.run(network, batch)[0]


@lru_cache
def _fitted() -> dict[str, Any]:
    path = files("lamella.zoo") / "narrowing.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {"methods": {}}


def _visit(visit: Radiograph | JointVisit, method: str) -> JointVisit:
    return visit if isinstance(visit, JointVisit) else prepare_visit(visit, method=method)
