"""The vertebral arch of the phantom: pedicles, laminae and seven processes as swept ellipsoids.

Every part is the set of points nearer than 1 to a segment in the metric of its three radii
(posterior, left, cranial). Sizes follow the canal and pedicles of Panjabi et al. 1991, 1992 in
the rough: what matters is that labels of whole vertebrae interlock as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lamella.physics.phantoms.spine.column import PhantomVertebra
from lamella.types import Profile

Field = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Strut:
    """An ellipsoid swept along a segment, in a vertebra's frame.

    Args:
        start_mm, end_mm: ends of the segment, (posterior, left, cranial).
        radii_mm: along posterior, left and cranial.
    """

    start_mm: Profile
    end_mm: Profile
    radii_mm: Profile

    def distance(self, places_mm: tuple[Field, Field, Field]) -> Field:
        """Depth below the surface, mm, positive inside: ``(1 - |x - x_segment|_r) min(r)``."""
        start, end = self.start_mm / self.radii_mm, self.end_mm / self.radii_mm
        along = end - start
        length = float(along @ along)
        scaled = [np.float32(1.0 / r) * x for x, r in zip(places_mm, self.radii_mm, strict=True)]
        from_start = [x - np.float32(s) for x, s in zip(scaled, start, strict=True)]
        part = sum(np.float32(a) * x for a, x in zip(along / length, from_start, strict=True))
        part = np.clip(part, 0.0, 1.0)
        squares = (
            np.square(x - np.float32(a) * part) for a, x in zip(along, from_start, strict=True)
        )
        return np.float32(self.radii_mm.min()) * (1.0 - np.sqrt(sum(squares)))

    @property
    def corners_mm(self) -> np.ndarray:
        """Corners of a box around it in the frame, (8, 3)."""
        low = np.minimum(self.start_mm, self.end_mm) - self.radii_mm
        high = np.maximum(self.start_mm, self.end_mm) + self.radii_mm
        return corners(low, high)


def corners(low_mm: Profile, high_mm: Profile) -> np.ndarray:
    """Corners of a box, (8, 3)."""
    return np.stack(
        np.meshgrid(*np.stack([low_mm, high_mm], axis=1), indexing="ij"), axis=-1
    ).reshape(-1, 3)


@dataclass(frozen=True, kw_only=True)
class ArchSizes:
    """Where the arch of one vertebra lies, mm in its frame.

    Args:
        wall: posterior wall of the body.
        height: posterior height before any fracture.
        lumbar: 0 for a thoracic, 1 for a lumbar vertebra, between at T11 and T12.
        canal_half_width, canal_depth: of the spinal canal.
        pedicle_width: radius of a pedicle, right to left.
        scale: of the person.
    """

    wall: float
    height: float
    lumbar: float
    canal_half_width: float
    canal_depth: float
    pedicle_width: float
    scale: float

    @property
    def pillar(self) -> float:
        """Distance of a pedicle's axis from the middle, mm."""
        return self.canal_half_width + self.pedicle_width

    def mix(self, thoracic: float, lumbar: float) -> float:
        """A length between its thoracic and its lumbar value, of the person's size, mm."""
        return (thoracic + (lumbar - thoracic) * self.lumbar) * self.scale


_LUMBAR = {"T10": 0.1, "T11": 0.35, "T12": 0.65, "T13": 0.8}
_PEDICLE_RADIUS = {"T11": 3.8, "T12": 3.8, "L1": 3.9, "L2": 4.1, "L3": 4.9, "L4": 6.2, "L5": 7.6}


def arch_sizes(vertebra: PhantomVertebra) -> ArchSizes:
    """Sizes of a vertebra's arch from its level and its body before any fracture."""
    level, scale = vertebra.level, vertebra.scale
    lumbar = _LUMBAR.get(level, 1.0 if level[0] == "L" else 0.0)
    low = max(int(level[1:]) - 3, 0) if level[0] == "L" else 0
    return ArchSizes(
        wall=vertebra.body.depth_range_mm[1] + vertebra.body.origin_mm[0],
        height=vertebra.healthy.zones.posterior,
        lumbar=lumbar,
        canal_half_width=(8.4 + 3.2 * lumbar + 0.7 * low) * scale,
        canal_depth=(15.5 + 1.5 * lumbar) * scale,
        pedicle_width=_PEDICLE_RADIUS.get(level, 7.6 if level == "L6" else 2.9) * scale,
        scale=scale,
    )


def arch(sizes: ArchSizes) -> tuple[Strut, ...]:
    """All parts of the arch: two of each but for the spinous process."""
    return (
        *_mirrored(_pedicle(sizes)),
        *_mirrored(_lamina(sizes)),
        *_mirrored(_transverse(sizes)),
        *_mirrored(_superior(sizes)),
        *_mirrored(_inferior(sizes)),
        _spinous(sizes),
    )


def _strut(start: list[float], end: list[float], radii: list[float]) -> Strut:
    return Strut(start_mm=np.array(start), end_mm=np.array(end), radii_mm=np.array(radii))


def _mirrored(strut: Strut) -> tuple[Strut, Strut]:
    mirror = np.array([1.0, -1.0, 1.0])
    other = Strut(
        start_mm=strut.start_mm * mirror, end_mm=strut.end_mm * mirror, radii_mm=strut.radii_mm
    )
    return strut, other


def _pedicle(sizes: ArchSizes) -> Strut:
    cranial = 0.2 * sizes.height
    return _strut(
        [sizes.wall - 5.0, sizes.pillar - 1.0, cranial],
        [sizes.wall + sizes.mix(7.0, 8.0), sizes.pillar + 0.5, cranial],
        [sizes.pedicle_width, sizes.pedicle_width, sizes.mix(5.3, 7.0)],
    )


def _lamina(sizes: ArchSizes) -> Strut:
    return _strut(
        [sizes.wall + sizes.mix(9.0, 10.0), sizes.pillar - 0.5, 0.0],
        [sizes.wall + sizes.canal_depth + sizes.mix(2.5, 3.5), 0.0, -0.2 * sizes.height],
        [sizes.mix(2.6, 3.2), sizes.mix(2.8, 3.2), sizes.mix(6.5, 7.0)],
    )


def _transverse(sizes: ArchSizes) -> Strut:
    cranial = 0.15 * sizes.height
    return _strut(
        [sizes.wall + sizes.mix(9.0, 7.5), sizes.pillar + 1.0, cranial],
        [sizes.wall + sizes.mix(17.0, 11.0), sizes.mix(29.0, 42.0), cranial + sizes.mix(3.0, 1.0)],
        [sizes.mix(4.0, 2.6), sizes.mix(4.0, 3.0), sizes.mix(4.2, 4.8)],
    )


def _superior(sizes: ArchSizes) -> Strut:
    back = sizes.wall + sizes.mix(9.5, 10.0)
    return _strut(
        [back, sizes.pillar + sizes.mix(0.0, 1.5), 0.15 * sizes.height],
        [back - 0.5, sizes.pillar + sizes.mix(0.0, 2.5), 0.5 * sizes.height + sizes.mix(3.0, 4.5)],
        [sizes.mix(2.3, 3.5), sizes.mix(4.0, 2.8), 4.0],
    )


def _inferior(sizes: ArchSizes) -> Strut:
    back = sizes.wall + sizes.mix(13.5, 15.0)
    return _strut(
        [back, sizes.pillar - 1.5, -0.1 * sizes.height],
        [back + 0.5, sizes.pillar - sizes.mix(1.0, 4.0), -0.5 * sizes.height - sizes.mix(5.0, 9.0)],
        [sizes.mix(2.3, 3.5), sizes.mix(4.0, 3.2), 4.0],
    )


def _spinous(sizes: ArchSizes) -> Strut:
    root = sizes.wall + sizes.canal_depth + sizes.mix(2.5, 4.0)
    cranial = -0.22 * sizes.height
    return _strut(
        [root, 0.0, cranial],
        [root + sizes.mix(17.0, 24.0), 0.0, cranial - sizes.mix(24.0, 4.0)],
        [sizes.mix(3.0, 4.0), sizes.mix(2.4, 2.8), sizes.mix(4.8, 7.5)],
    )
