"""Partial-image phase-only correlation (Ou 2023, arXiv 2205.09315, IEEE JBHI 27:53-64).

Nothing is separated or masked by hand: each visit's radiograph is cut at the joint space
(:mod:`lamella.methods.phase_only.gully`), and each side is shifted until its phases fit.

1. Both crops are reduced to the largest rectangle about the joint's middle that both hold, by
   whole pixels. The published tool cuts equal crops about joints it has detected; here the
   segmentation's joint stands in for that.
2. Hanning window; the phase-only image ``p = F^-1[F f / |F f|]`` of the whole rectangle.
3. ``p`` of each visit, cut by that visit's own gully, gives two partial images per visit.
4. Each pair of partial images: :func:`phase_only_shift`. Translations only: a bone that turns or
   is magnified is outside the model.

The published code fits the half-band peak of step 4 to an unfiltered correlation; here both have
the same band, so that equal images have height 1. Its median filter for phantom images is left
out: it is not part of the method, and the result is more precise without.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft, optimize
from scipy.signal import windows

from lamella.methods.phase_only.gully import above_gully
from lamella.physics.soft_tissue import NOMINAL_SPACING_MM
from lamella.records import JointVisit, LamellaError, RegisteredBone, Similarity
from lamella.types import Image

FIT_REACH_PX = 7
"""Rows and columns on each side of the peak that the fit uses: 15 x 15."""

LARGEST_SHIFT_PX = 20
"""A peak farther from the centre is no match."""

BAND = 0.5
"""Part of the frequencies, from 0 up, whose phases count."""

SMALLEST_MAGNITUDE = 1e-12
LEAST_WINDOW_PX = 32


@dataclass(frozen=True, kw_only=True)
class PhasePeak:
    """The peak of a phase-only correlation.

    Args:
        down_px: how far the moving image lies below the fixed one.
        right_px: how far to the right.
        height: ``alpha``, 1 for images that differ by a cyclic shift, about 0 for others.
    """

    down_px: float
    right_px: float
    height: float

    @property
    def is_near(self) -> bool:
        """Whether the shift is small enough to be believed."""
        return max(abs(self.down_px), abs(self.right_px)) <= LARGEST_SHIFT_PX


def register_phase_only(baseline: JointVisit, followup: JointVisit) -> Mapping[str, RegisteredBone]:
    """Register both sides of the joint space by partial-image phase-only correlation.

    Args:
        baseline: first visit; only its pixels count, and where its joint lies.
        followup: second visit.

    Returns:
        bone name -> translation; ``ncc`` is the height of the peak, 0 where the shift is more
        than 20 pixels from what the joint as a whole has moved. No deviation is stated.

    Raises:
        LamellaError: the crops share less than 32 pixels on a side about the joint.
    """
    boxes = common_boxes(baseline, followup)
    visits = (baseline, followup)
    crops = [visit.radiograph.pixels[box] for visit, box in zip(visits, boxes, strict=True)]
    above = [
        above_gully(crop, _spacing_mm(visit)) for crop, visit in zip(crops, visits, strict=True)
    ]
    phases = [phase_image(crop) for crop in crops]
    moved_px = [there.start - here.start for here, there in zip(*boxes, strict=True)]
    bones = {}
    for name, is_upper in zip(baseline.names, (True, False), strict=True):
        parts = [
            np.where(mask == is_upper, phase, np.float32(0.0))
            for mask, phase in zip(above, phases, strict=True)
        ]
        peak = phase_only_shift(parts[0], parts[1])
        bones[name] = RegisteredBone(
            motion=Similarity(
                down_px=peak.down_px + moved_px[0], right_px=peak.right_px + moved_px[1]
            ),
            ncc=float(np.clip(peak.height, 0.0, 1.0)) if peak.is_near else 0.0,
        )
    return bones


def phase_only_shift(fixed: Image, moving: Image) -> PhasePeak:
    """Translation between two images from the phases of their spectra, at sub-pixel precision.

    ``r = F^-1[H conj(F fixed) F moving / |...|]`` with ``H`` 1 for the lower half of the
    frequencies of each axis and 0 above. For ``moving(x) = fixed(x - d)`` it is

        r(x) = alpha / (N1 N2) prod_k sin(pi V_k (x_k - d_k) / N_k) / sin(pi (x_k - d_k) / N_k),

    ``V_k`` being the number of frequencies kept (Takita 2003; Ou 2023): ``alpha`` and ``d`` are
    fitted by least squares to the 15 x 15 values about the highest.

    Args:
        fixed: (row, col), taken as cyclic; see :func:`phase_image` for those that are not.
        moving: same shape.

    Returns:
        the peak.

    Raises:
        LamellaError: less than 15 pixels on a side.
    """
    reach = 2 * FIT_REACH_PX + 1
    if min(fixed.shape) < reach:
        raise LamellaError(
            f"expected at least {reach} pixels on a side, got {fixed.shape}: use a larger crop"
        )
    correlation = _correlation(fixed, moving)
    shape = np.array(fixed.shape)
    summit = np.array(np.unravel_index(int(correlation.argmax()), fixed.shape))
    steps = np.arange(-FIT_REACH_PX, FIT_REACH_PX + 1)
    values = np.take(correlation, summit[0] + steps, axis=0, mode="wrap")
    values = np.take(values, summit[1] + steps, axis=1, mode="wrap")
    start = (summit + shape // 2) % shape - shape // 2  # the nearer way round
    height, down, right = _fitted(values, start, fixed.shape)
    return PhasePeak(down_px=down, right_px=right, height=height)


def phase_image(image: Image) -> Image:
    """The image that has only the phases of another's spectrum, after a Hanning window.

    ``p = F^-1[F(w f) / |F(w f)|]``, (row, col).

    Args:
        image: (row, col).
    """
    rows, cols = image.shape
    window = windows.hann(rows)[:, None] * windows.hann(cols)[None, :]
    spectrum = fft.rfft2(np.asarray(image, np.float64) * window)
    return np.asarray(fft.irfft2(_phases(spectrum), s=image.shape), dtype=np.float32)


def common_boxes(
    baseline: JointVisit, followup: JointVisit
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns of both radiographs: the largest equal rectangle about the joint's middle.

    Raises:
        LamellaError: less than 32 pixels on a side.
    """
    visits = (baseline, followup)
    middles = [np.rint(visit.frame.origin_px).astype(int) for visit in visits]
    shapes = [np.array(visit.radiograph.shape) for visit in visits]
    before = np.minimum(*middles)
    after = np.minimum(*(shape - middle for shape, middle in zip(shapes, middles, strict=True)))
    if (before + after).min() < LEAST_WINDOW_PX:
        rows, cols = before + after
        raise LamellaError(
            f"expected crops that share {LEAST_WINDOW_PX} pixels about the joint, "
            f"got {rows} x {cols}: crop farther from the joint"
        )
    return _box(middles[0], before, after), _box(middles[1], before, after)


def _box(middle: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[slice, slice]:
    (top, left), (bottom, right) = (middle - before).tolist(), (middle + after).tolist()
    return slice(top, bottom), slice(left, right)


def _correlation(fixed: Image, moving: Image) -> np.ndarray:
    """``r``, (row, col), shift 0 at (0, 0)."""
    first, second = (fft.fft2(np.asarray(image, np.float64)) for image in (fixed, moving))
    phases = _phases(first.conj() * second)
    for axis, size in enumerate(fixed.shape):
        kept = np.abs(fft.fftfreq(size, 1.0 / size)) <= _highest(size)
        phases *= np.expand_dims(kept, 1 - axis)
    return np.asarray(fft.ifft2(phases).real)


def _fitted(
    values: np.ndarray, start: np.ndarray, shape: tuple[int, ...]
) -> tuple[float, float, float]:
    """Height and place (down, right) of the peak nearest to ``start``."""
    steps = np.arange(-FIT_REACH_PX, FIT_REACH_PX + 1)

    def misfit(guess: np.ndarray) -> np.ndarray:
        sides = [
            _dirichlet(place + steps - shift, size)
            for place, shift, size in zip(start, guess[1:], shape, strict=True)
        ]
        return np.asarray(guess[0] * np.multiply.outer(*sides) - values).ravel()

    peak = _kept(shape[0]) * _kept(shape[1]) / (shape[0] * shape[1])
    first = [float(values.max()) / peak, *start.astype(float)]
    height, down, right = optimize.least_squares(misfit, first, x_scale=[0.1, 0.1, 0.1]).x
    return float(height), float(down), float(right)


def _dirichlet(offset_px: np.ndarray, size: int) -> np.ndarray:
    """``sin(pi V x / N) / (N sin(pi x / N))``: a shift's peak along one axis, V / N at 0."""
    angle = np.pi * offset_px / size
    small = np.abs(np.sin(angle)) < 1e-9
    safe = np.where(small, 1.0, np.sin(angle))
    kept = _kept(size)
    return np.where(small, kept, np.sin(kept * angle) / safe) / size


def _spacing_mm(visit: JointVisit) -> float:
    return visit.radiograph.pixel_spacing_mm or NOMINAL_SPACING_MM


def _highest(size: int) -> int:
    return int(BAND * size / 2)


def _kept(size: int) -> int:
    return 2 * _highest(size) + 1


def _phases(spectrum: np.ndarray) -> np.ndarray:
    return np.asarray(spectrum / np.maximum(np.abs(spectrum), SMALLEST_MAGNITUDE))
