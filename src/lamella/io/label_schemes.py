"""Which number means which vertebra: the schemes in use, and which of them a file follows.

VerSe counts downwards (20 = L1), TotalSegmentator upwards (31 = L1), so the numbers alone are
ambiguous: 20 is L1 in one and the colon in the other. A scheme explains a file when

* each number is a vertebra or something else of that scheme,
* the vertebrae's centroids descend along the body's long axis in the order of their levels, and
* neighbours are ``STEP_MM`` apart.

The scheme that explains a file is used; when none or more than one does, or when a single
vertebra leaves no order to judge by, the scheme must be given.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lamella.records import LEVELS, VERSE_IDS, LamellaError
from lamella.types import Affine, LevelVolume

STEP_MM = (7.0, 62.0)
FRAGMENT_SHARE = 0.03
UPWARDS = ("S1", *(f"L{n}" for n in range(5, 0, -1)), *(f"T{n}" for n in range(12, 0, -1)))
CERVICAL_UPWARDS = tuple(f"C{n}" for n in range(7, 0, -1))
SUBREGIONS = frozenset(range(41, 51))
CORPUS = frozenset((49, 50))
BODY_AND_DISCS = frozenset((1, 2))
BINARY = frozenset((1,))
LEVEL_NAME = re.compile(r"(?<![A-Za-z0-9])(C[1-7]|T1[0-3]|T[1-9]|L[1-6]|S1)(?![A-Za-z0-9])", re.I)
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
REGIONS = {"cervical": "C", "thoracic": "T", "lumbar": "L"}


@dataclass(frozen=True, kw_only=True)
class LabelScheme:
    """A numbering of vertebrae.

    Args:
        name: as the option ``--label-scheme`` takes it.
        title: in words.
        levels: number -> level.
        others: numbers of anything else in files of this scheme.
        recognised: whether it is tried when no scheme is given.
    """

    name: str
    title: str
    levels: Mapping[int, str]
    others: frozenset[int]
    recognised: bool = True


def _counted(first: int, levels: tuple[str, ...]) -> dict[int, str]:
    return {first + place: level for place, level in enumerate(levels)}


_V1 = _counted(18, UPWARDS[1:] + CERVICAL_UPWARDS)
_V2 = _counted(26, UPWARDS + CERVICAL_UPWARDS)
_DOWNWARDS = (
    _counted(11, tuple(f"C{n}" for n in range(1, 8)))
    | _counted(21, tuple(f"T{n}" for n in range(1, 13)))
    | _counted(41, tuple(f"L{n}" for n in range(1, 7)))
)

SCHEMES: Mapping[str, LabelScheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            LabelScheme(
                name="verse",
                title="VerSe",
                levels=MappingProxyType({number: level for level, number in VERSE_IDS.items()}),
                others=frozenset((27, *range(101, 129), *range(201, 229))),
            ),
            LabelScheme(
                name="totalsegmentator",
                title="TotalSegmentator",
                levels=MappingProxyType(_V2),
                others=frozenset(range(1, 118)).difference(_V2),
            ),
            LabelScheme(
                name="totalsegmentator-v1",
                title="TotalSegmentator 1",
                levels=MappingProxyType(_V1),
                others=frozenset(range(1, 105)).difference(_V1),
            ),
            LabelScheme(
                name="totalspineseg",
                title="TotalSpineSeg",
                levels=MappingProxyType(_DOWNWARDS),
                others=frozenset(range(1, 256)).difference(_DOWNWARDS),
                recognised=False,
            ),
        )
    }
)
"""By name. VerSe's others are the coccyx and SPINEPS' discs and endplates."""


@dataclass(frozen=True, kw_only=True)
class LabelledPart:
    """Where the voxels of one number lie: their count and centroid, RAS mm."""

    voxels: int
    centroid_mm: tuple[float, float, float]


def scheme_named(name: str) -> LabelScheme:
    """A scheme by its name.

    Raises:
        LamellaError: no such scheme.
    """
    if name not in SCHEMES:
        raise LamellaError(f"expected a label scheme of {', '.join(SCHEMES)}, got {name!r}")
    return SCHEMES[name]


def parts_of(numbers: NDArray[np.integer], affine: Affine) -> dict[int, LabelledPart]:
    """Count and centroid of every number but 0."""
    parts = {}
    for index, box in enumerate(boxes_of(numbers)):
        if box is None:
            continue
        inside = numbers[box] == index + 1
        count = int(inside.sum())
        starts = [side.start for side in box]
        centre = [
            start + float(inside.sum(axis=_but(axis)) @ np.arange(inside.shape[axis])) / count
            for axis, start in enumerate(starts)
        ]
        first, second, third = (affine @ [*centre, 1.0])[:3]
        parts[index + 1] = LabelledPart(
            voxels=count, centroid_mm=(float(first), float(second), float(third))
        )
    return parts


def boxes_of(numbers: NDArray[Any]) -> list[tuple[slice, ...] | None]:
    """Bounding box of each number from 1 on, None where it does not occur.

    Volumes of files lie in Fortran order: the search walks memory forwards, six times as fast.
    """
    if not numbers.flags.f_contiguous:
        return list(ndimage.find_objects(numbers))
    return [box and box[::-1] for box in ndimage.find_objects(numbers.T)]


def recognised_scheme(parts: Mapping[int, LabelledPart]) -> LabelScheme:
    """The one scheme that explains what numbers occur and where.

    Raises:
        LamellaError: none does, several do, a single vertebra tells no order, or the file is a
            mask of the whole spine or of parts of vertebrae.
    """
    _refuse_spine_mask(parts)
    fitting = [scheme for scheme in SCHEMES.values() if scheme.recognised and fits(scheme, parts)]
    _refuse_body_mask(parts, any(scheme.name == "totalsegmentator" for scheme in fitting))
    most = max((_levels_in(scheme, parts) for scheme in fitting), default=0)
    fitting = [scheme for scheme in fitting if _levels_in(scheme, parts) == most]
    if SCHEMES["totalsegmentator"] in fitting:
        fitting = [scheme for scheme in fitting if scheme.name != "totalsegmentator-v1"]
    if len(fitting) == 1 and most > 1:
        return fitting[0]
    shown = _shown(parts)
    choices = " or ".join(scheme.name for scheme in fitting) or ", ".join(SCHEMES)
    raise LamellaError(
        f"expected numbers that name vertebrae in one way, got {shown}: say which scheme it is "
        f"(--label-scheme {choices})"
    )


def _refuse_spine_mask(parts: Mapping[int, LabelledPart]) -> None:
    """A lone 1 says where bone is: in any scheme it would make the whole spine one vertebra."""
    if parts.keys() == BINARY:
        raise LamellaError(
            "expected one number per vertebra, got a mask of the whole spine (1 everywhere): "
            "number each vertebra, or name the file of a single one after its level, as in "
            "vertebrae_T12.nii.gz"
        )


def _refuse_body_mask(parts: Mapping[int, LabelledPart], are_vertebrae: bool) -> None:
    """Sub-regions, and TotalSegmentator's bodies (1) and discs (2), are no vertebrae."""
    sub_regions = parts.keys() <= SUBREGIONS and bool(parts.keys() & CORPUS)
    if (sub_regions and not are_vertebrae) or parts.keys() == BODY_AND_DISCS:
        raise LamellaError(
            f"expected one number per vertebra, got a mask of their parts ({_shown(parts)}): give "
            "it as the body mask beside the vertebrae"
        )


def fits(scheme: LabelScheme, parts: Mapping[int, LabelledPart]) -> bool:
    """Whether a scheme explains every number, the order of the vertebrae and their distances.

    Parts below 3 % of the largest vertebra are fragments and have no say in order and distance.
    """
    if not (scheme.levels.keys() | scheme.others).issuperset(parts):
        return False
    named = {
        scheme.levels[number]: part for number, part in parts.items() if number in scheme.levels
    }
    return bool(named) and descends(named)


def descends(named: Mapping[str, LabelledPart]) -> bool:
    """Whether levels follow one another downwards at distances that vertebrae have."""
    least = FRAGMENT_SHARE * max(part.voxels for part in named.values())
    ordered = [level for level in LEVELS if level in named and named[level].voxels >= least]
    return all(_is_step(upper, lower, named) for upper, lower in itertools.pairwise(ordered))


def verse_numbers(numbers: NDArray[np.integer], scheme: LabelScheme) -> LevelVolume:
    """The same volume in VerSe's numbers, 0 where there is no vertebra."""
    table = np.zeros(int(numbers.max()) + 1, np.uint8)
    for number, level in scheme.levels.items():
        if number < len(table):
            table[number] = VERSE_IDS[level]
    return table[numbers]


def level_in(text: str) -> str | None:
    """The level a file name or a segment's label names, when it names exactly one.

    Example:
        >>> level_in("vertebrae_T12.nii.gz"), level_in("Third lumbar vertebra"), level_in("liver")
        ('T12', 'L3', None)
    """
    spaced = text.replace("_", " ").replace("-", " ")
    found = {match.upper() for match in LEVEL_NAME.findall(spaced)} or _in_words(spaced.lower())
    return found.pop() if len(found) == 1 else None


def _in_words(text: str) -> set[str]:
    words = set(re.findall(r"[a-z]+", text))
    return {
        f"{letter}{place + 1}"
        for region, letter in REGIONS.items()
        for place, ordinal in enumerate(ORDINALS)
        if {region, ordinal} <= words and f"{letter}{place + 1}" in VERSE_IDS
    }


def _is_step(upper: str, lower: str, named: Mapping[str, LabelledPart]) -> bool:
    first, second = (np.array(named[level].centroid_mm) for level in (upper, lower))
    count = _levels_between(upper, lower)
    distance_mm = float(np.linalg.norm(first - second))
    return bool(first[2] > second[2] and STEP_MM[0] * count < distance_mm < STEP_MM[1] * count)


def _levels_between(upper: str, lower: str) -> int:
    """Steps from one level to another below it; T13 and L6, which few have, count only if named."""
    between = LEVELS[LEVELS.index(upper) + 1 : LEVELS.index(lower)]
    return 1 + sum(level not in ("T13", "L6") for level in between)


def _levels_in(scheme: LabelScheme, parts: Mapping[int, LabelledPart]) -> int:
    return len(scheme.levels.keys() & parts.keys())


def _shown(parts: Mapping[int, LabelledPart]) -> str:
    numbers = sorted(parts)
    if len(numbers) > 12:
        return f"{len(numbers)} numbers from {numbers[0]} to {numbers[-1]}"
    return ", ".join(str(number) for number in numbers) or "no number"


def _but(axis: int) -> tuple[int, int]:
    first, second = (other for other in range(3) if other != axis)
    return (first, second)
