"""Rigid registration of one bone: least squares over translation, rotation and magnification.

With ``F`` the fixed and ``M`` the moving view at one smoothness, the motion ``T`` minimises

    sum_x w(x) rho( [g (M(T x) - mean M) - (F(x) - mean F)] / sigma ) + ((s - 1) / sd_s)^2 A,

``g`` the ratio of standard deviations (exposure), means and ``w`` (trust at both visits) over the
compared pixels, ``sigma`` their disagreement, ``A`` the pixels that one independent value covers.
SciPy's trust-region least squares does the search, from coarse to fine.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage, optimize

from lamella.methods.registration.views import SPLINE_ORDER, BoneView, Level
from lamella.records import Similarity

LEVER_PX = 60.0
"""Turns and magnifications are sought as the movement at this distance from the centre."""
SCALE_SD = 0.002
BLUR_MM = 0.09
"""SD of the blur of a hand radiograph: noise finer than this is not independent."""
ROBUST = 2.5
EVALUATIONS = 20
LEAST_COVERAGE = 0.3


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A motion and how well it fits.

    Args:
        motion: from the fixed view to the moving one, about the fixed view's centre.
        covariance: of (down, right, rotation in rad, scale), (4, 4).
        ncc: weighted normalised cross-correlation.
        coverage: part of the fixed view's weight that was compared.
    """

    motion: Similarity
    covariance: np.ndarray
    ncc: float
    coverage: float


def fitted(
    fixed: BoneView, moving: BoneView, levels: tuple[Level, Level], start: Similarity
) -> Fit:
    """Register at one smoothness.

    Args:
        fixed: view whose pixels are compared.
        moving: view that is sampled.
        levels: of the fixed and of the moving view.
        start: motion to begin with.
    """
    problem = _Problem.of(fixed, moving, levels, start)
    found = problem.start
    if problem.enough:
        found = optimize.least_squares(
            problem.residuals,
            problem.start,
            problem.jacobian,
            loss="soft_l1",
            f_scale=ROBUST,
            xtol=1e-4,
            ftol=1e-5,
            gtol=1e-5,
            max_nfev=EVALUATIONS,
        ).x
    return problem.fit(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sample:
    """Both views at the compared pixels for one motion.

    Args:
        residual: (n,), in standard deviations of the fixed view.
        slopes: of the residual by (down, right, turn, magnification), (n, 4).
        ncc: weighted.
    """

    residual: np.ndarray
    slopes: np.ndarray
    ncc: float


@dataclass(kw_only=True, eq=False)
class _Problem:
    """Residuals and their slopes as functions of (down, right, lever turn, lever magnification)."""

    centre: np.ndarray
    start: np.ndarray
    offsets: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    moving: Level
    coverage: float
    independent_px: float
    sigma: float = 1.0
    _seen: dict[bytes, _Sample] = field(default_factory=dict)

    @classmethod
    def of(
        cls, fixed: BoneView, moving: BoneView, levels: tuple[Level, Level], start: Similarity
    ) -> "_Problem":
        here, there = levels
        step = _step_px(here.smooth_px, fixed.spacing_mm)
        rows, cols = fixed.pixels
        chosen = (rows % step == 0) & (cols % step == 0)
        rows, cols = rows[chosen], cols[chosen]
        trust = fixed.trust[rows, cols]
        begun = start.about(fixed.centre_px)
        offsets = np.stack([rows, cols]).astype(float) - np.array(fixed.centre_px)[:, None]
        problem = cls(
            centre=np.array(fixed.centre_px),
            start=_parameters(begun),
            offsets=offsets,
            target=here.image[rows, cols],
            weights=trust,
            moving=there,
            coverage=0.0,
            independent_px=_independent_px(here.smooth_px, fixed.spacing_mm) / step**2,
        )
        places = problem.places(problem.start)
        there_trust = ndimage.map_coordinates(moving.trust, places, order=1, mode="constant")
        there_seen = ndimage.map_coordinates(
            moving.region.astype(np.float32), places, order=1, mode="constant"
        )
        problem.weights = trust * np.sqrt(there_trust / np.maximum(trust, 1e-6)).clip(0, 1)
        problem.weights[there_seen < 0.999] = 0.0
        problem.coverage = float((trust * (problem.weights > 0)).sum() / max(trust.sum(), 1e-6))
        if problem.enough:
            ncc = problem.sample(problem.start).ncc
            problem.sigma = float(np.sqrt(max(2.0 * (1.0 - ncc), 1e-3)))
        return problem

    @property
    def enough(self) -> bool:
        return self.coverage > LEAST_COVERAGE

    def places(self, parameters: np.ndarray) -> np.ndarray:
        down, right, turn, growth = parameters
        turned, _ = self._turned(turn, growth)
        return np.asarray(turned + (self.centre + np.array([down, right]))[:, None])

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        sample = self.sample(parameters)
        weighted = np.sqrt(self.weights) * sample.residual / self.sigma
        return np.append(weighted, self._prior * parameters[3])

    def jacobian(self, parameters: np.ndarray) -> np.ndarray:
        sample = self.sample(parameters)
        weighted = np.sqrt(self.weights)[:, None] * sample.slopes / self.sigma
        return np.vstack([weighted, [0.0, 0.0, 0.0, self._prior]])

    def fit(self, parameters: np.ndarray) -> Fit:
        """The result, with the covariance that its residuals imply."""
        if not self.enough:
            return Fit(
                motion=self._motion(parameters),
                covariance=np.full((4, 4), np.inf),
                ncc=-1.0,
                coverage=self.coverage,
            )
        sample = self.sample(parameters)
        slopes = np.sqrt(self.weights)[:, None] * sample.slopes
        spread = float((self.weights * sample.residual**2).sum() / self.weights.sum())
        information = slopes.T @ slopes / (spread * self.independent_px)
        information[3, 3] += (1.0 / (SCALE_SD * LEVER_PX)) ** 2
        units = np.array([1.0, 1.0, 1.0 / LEVER_PX, 1.0 / LEVER_PX])
        return Fit(
            motion=self._motion(parameters),
            covariance=np.linalg.inv(information) * np.outer(units, units),
            ncc=sample.ncc,
            coverage=self.coverage,
        )

    def sample(self, parameters: np.ndarray) -> _Sample:
        key = parameters.tobytes()
        if key not in self._seen:
            self._seen.clear()
            self._seen[key] = self._sampled(parameters)
        return self._seen[key]

    @property
    def _prior(self) -> float:
        return float(np.sqrt(self.independent_px) / (SCALE_SD * LEVER_PX))

    def _motion(self, parameters: np.ndarray) -> Similarity:
        down, right, turn, growth = (float(value) for value in parameters)
        return Similarity(
            down_px=down,
            right_px=right,
            rotation_deg=float(np.rad2deg(turn / LEVER_PX)),
            scale=1.0 + growth / LEVER_PX,
            centre_px=(float(self.centre[0]), float(self.centre[1])),
        )

    def _turned(self, turn: float, growth: float) -> tuple[np.ndarray, np.ndarray]:
        """Offsets turned and magnified, (2, n), and their change with the turn, (2, n)."""
        angle, scale = turn / LEVER_PX, 1.0 + growth / LEVER_PX
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        turned = np.array([[cosine, -sine], [sine, cosine]]) @ self.offsets
        return turned, np.stack([-turned[1], turned[0]]) / LEVER_PX

    def _sampled(self, parameters: np.ndarray) -> _Sample:
        turned, turning = self._turned(parameters[2], parameters[3])
        growing = turned / (LEVER_PX + parameters[3])
        places = self.places(parameters)
        values = ndimage.map_coordinates(
            self.moving.spline, places, order=SPLINE_ORDER, mode="constant", prefilter=False
        )
        down, right = (
            ndimage.map_coordinates(slope, places, order=1, mode="constant")
            for slope in self.moving.slopes
        )
        total = self.weights.sum()
        target = self.target - (self.weights * self.target).sum() / total
        values = values - (self.weights * values).sum() / total
        spread = np.sqrt((self.weights * target**2).sum() / total)
        gain = spread / max(np.sqrt((self.weights * values**2).sum() / total), 1e-9)
        slopes = np.stack(
            [
                down,
                right,
                down * turning[0] + right * turning[1],
                down * growing[0] + right * growing[1],
            ],
            axis=1,
        )
        slopes -= (self.weights[:, None] * slopes).sum(axis=0) / total
        return _Sample(
            residual=(gain * values - target) / spread,
            slopes=slopes * gain / spread,
            ncc=float((self.weights * target * gain * values).sum() / (total * spread**2)),
        )


def _parameters(motion: Similarity) -> np.ndarray:
    turn = np.deg2rad(motion.rotation_deg) * LEVER_PX
    return np.array([motion.down_px, motion.right_px, turn, (motion.scale - 1.0) * LEVER_PX])


def _step_px(smooth_px: float, spacing_mm: float) -> int:
    """Every so many pixels hold nearly all there is to know at that smoothness."""
    return max(1, round(1.35 * float(np.hypot(smooth_px, BLUR_MM / spacing_mm))))


def _independent_px(smooth_px: float, spacing_mm: float) -> float:
    """Pixels that one independent value covers after Gaussian smoothing."""
    return max(4.0 * float(np.pi) * (smooth_px**2 + (BLUR_MM / spacing_mm) ** 2), 1.0)
