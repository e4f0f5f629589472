"""What determines a spine phantom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lamella.physics.phantoms.spine.grid import Orientation
from lamella.physics.vertebra_population import HeightPopulation
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records.images import LamellaError
from lamella.records.limits import refuse_outside
from lamella.records.spine import LEVELS

DEFAULT_LEVELS = ("T11", "T12", "L1")

_LIMITS: Mapping[str, tuple[float, float]] = {
    "kyphosis_deg": (0.0, 90.0),
    "lordosis_deg": (0.0, 90.0),
    "scoliosis_deg": (-60.0, 60.0),
    "noise_hu": (0.0, 200.0),
    "psf_mm": (0.0, 5.0),
    "trabecular_hu": (0.0, 500.0),
    "texture_hu": (0.0, 200.0),
    "margin_mm": (0.0, 100.0),
}


@dataclass(frozen=True, kw_only=True)
class SpinePhantomSpec:
    """Everything that determines a spine phantom; the same spec gives the same voxels.

    Args:
        levels: vertebrae in it, without a gap, T1 to L6.
        spacing_mm: of voxels, one figure or along right, anterior, superior.
        kyphosis_deg: angle between the axes of T4 and T12 before any fracture.
        lordosis_deg: angle between the axes of L1 and L5.
        scoliosis_deg: angle between the first and the last vertebra in the coronal plane, one
            curve; positive: the first leans to the patient's right.
        seed: draws the person: heights, sizes, texture, soft tissue.
        noise_seed: draws the noise, None: from ``seed``.
        noise_hu: standard deviation of the noise in a voxel.
        psf_mm: standard deviation of the Gaussian point spread function.
        trabecular_hu: mean of cancellous bone.
        texture_hu: standard deviation of its texture before the voxels average it.
        fractures: level -> fracture.
        population: heights are drawn from it.
        cropped: a field tight around the column; else the whole trunk with air around it.
        margin_mm: of a cropped field around the bones.
        orientation: where the array axes point.

    Raises:
        LamellaError: a level that is unknown, twice, out of order or fractured but absent; a
            figure out of range.
    """

    levels: tuple[str, ...] = DEFAULT_LEVELS
    spacing_mm: float | tuple[float, float, float] = 1.0
    kyphosis_deg: float = 36.0
    lordosis_deg: float = 40.0
    scoliosis_deg: float = 0.0
    seed: int = 0
    noise_seed: int | None = None
    noise_hu: float = 15.0
    psf_mm: float = 0.5
    trabecular_hu: float = 150.0
    texture_hu: float = 60.0
    fractures: Mapping[str, FractureSpec] = field(default_factory=dict)
    population: HeightPopulation = field(default_factory=HeightPopulation)
    cropped: bool = True
    margin_mm: float = 10.0
    orientation: str = "RAS"

    def __post_init__(self) -> None:
        self._check_levels()
        refuse_outside(self, _LIMITS)
        if min(self.spacing) < 0.2 or max(self.spacing) > 10.0:
            raise LamellaError(f"expected a spacing of 0.2 to 10 mm, got {self.spacing_mm}")
        Orientation(code=self.orientation)

    def _check_levels(self) -> None:
        known = [level for level in LEVELS if level in self.population.norms]
        if not self.levels or any(level not in known for level in self.levels):
            raise LamellaError(f"expected levels among {known}, got {self.levels}")
        places = [known.index(level) for level in self.levels]
        if places != sorted(set(places)):
            raise LamellaError(f"expected levels from the skull down, got {self.levels}")
        absent = [level for level in self.fractures if level not in self.levels]
        if absent:
            raise LamellaError(f"a fracture of {absent}, which is not in the phantom")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Along right, anterior and superior, mm."""
        if isinstance(self.spacing_mm, tuple):
            return self.spacing_mm
        return (self.spacing_mm, self.spacing_mm, self.spacing_mm)

    def rng_seed(self, stream: int) -> list[int]:
        """Seed of one of the phantom's independent streams of chance."""
        return [self.seed, stream]
