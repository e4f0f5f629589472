"""Can a classifier find the former bone in the soft layer alone?

Windows of the soft layer, from where a bone was, from its old contour and from visible tissue,
become numbers that say nothing about level, slope or place: power by spatial frequency and
direction, autocorrelation, shape of the histogram, curvature, local binary patterns. A forest
of extremely randomised trees (Geurts 2006), cross-validated by joint, learns which are which.
An area under the ROC curve of 0.5 is guessing.

Absorbance is compared as a viewer would get it, rounded to the grey levels of the radiograph.
Each joint's numbers are taken relative to the mean over its own windows: a finder that knows
the whole layer knows its exposure too.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage
from skimage.feature import local_binary_pattern

from lamella.evaluation.grain_power import WINDOW_PX, without_plane
from lamella.evaluation.revealed import Former
from lamella.evaluation.told_apart import FOLDS, Lineup, Told, told_apart
from lamella.physics.formation import absorbance, intensity
from lamella.types import Absorbance, Mask

WINDOWS = 24
FEWEST_WINDOWS = 6
RINGS = 6
LAGS_PX = (1, 2, 3, 5)
PATTERNS = 10
SMALLEST = 1e-12
CONTRASTS = {
    "former bone": ("bone", "beside"),
    "old contour": ("contour", "beside"),
    "beside, near": ("near", "far"),
}
"""What is told from what: suspect region, innocent region."""

Window = Float[np.ndarray, "side side"]


Numbers = Float[np.ndarray, "windows features"]

Windows = Mapping[str, Numbers]
"""Numbers of one joint's windows by region: bone, contour, beside, and of those near and far."""


def windows_of(soft: Absorbance, former: Former, seed: int) -> Windows | None:
    """Numbers of ``WINDOWS`` windows at random places of each region; None without enough.

    Args:
        soft: revealed soft layer.
        former: its regions.
        seed: of the places, which are the same for every row.
    """
    layer = rounded(soft, former.radiograph.grey_level)
    rng = np.random.default_rng(seed)
    places = {name: _places(region, rng) for name, region in _regions(former).items()}
    if min(len(at) for at in places.values()) < FEWEST_WINDOWS:
        return None
    places["beside"] = _nearest_first(places["beside"], former)
    found = {
        name: np.stack([list(window_features(_window(layer, at)).values()) for at in chosen])
        for name, chosen in places.items()
    }
    mean = np.mean([values.mean(axis=0) for values in found.values()], axis=0)
    relative = {name: values - mean for name, values in found.items()}
    half = len(relative["beside"]) // 2
    return relative | {"near": relative["beside"][:half], "far": relative["beside"][half:]}


def found_by(joints: Sequence[Windows], contrast: str) -> Told | None:
    """Cross-validate by joint on a contrast of ``CONTRASTS``; None below one joint a fold."""
    if len(joints) < FOLDS:
        return None
    suspect, innocent = CONTRASTS[contrast]
    numbers, is_suspect, of = [], [], []
    for number, windows in enumerate(joints):
        for region in (suspect, innocent):
            count = len(windows[region])
            numbers.append(windows[region])
            is_suspect.append(np.full(count, region == suspect))
            of.append(np.full(count, number))
    return told_apart(
        Lineup(
            names=names_of_features(),
            numbers=np.concatenate(numbers),
            is_suspect=np.concatenate(is_suspect),
            joints=np.concatenate(of),
        )
    )


def rounded(soft: Absorbance, grey_level: float) -> Absorbance:
    """Absorbance of the layer's image in the radiograph's grey levels."""
    pixels = np.round(np.asarray(intensity(soft), np.float32) / grey_level) * grey_level
    return np.asarray(absorbance(pixels.astype(np.float32), grey_level), np.float32)


def window_features(window: Window) -> dict[str, float]:
    """Numbers of one window, plane removed."""
    flat = without_plane(window)
    sd = max(float(flat.std()), 1e-6)
    found = {"log sd": float(np.log(sd))}
    found |= _spectrum(flat) | _correlations(flat) | _moments(flat / sd) | _patterns(flat)
    return found


def names_of_features() -> list[str]:
    """Names in the order of the columns."""
    return list(window_features(np.eye(WINDOW_PX)))


def _regions(former: Former) -> dict[str, Mask]:
    """Where the centres of windows may lie."""
    half = WINDOW_PX // 2
    square = np.ones((WINDOW_PX, WINDOW_PX), bool)
    bone = ndimage.binary_erosion(former.bone, square)
    beside = ndimage.binary_erosion(former.visible, square)
    edge = former.bone & ~ndimage.binary_erosion(former.bone, border_value=1)
    near = ndimage.binary_erosion(former.hidden | former.visible, square)
    inner = np.zeros_like(edge)
    inner[half:-half, half:-half] = True
    return {"bone": bone & inner, "contour": edge & inner & near, "beside": beside & inner}


def _places(region: Mask, rng: np.random.Generator) -> Int[np.ndarray, "places 2"]:
    candidates = np.argwhere(region)
    count = min(WINDOWS, len(candidates))
    return candidates[rng.choice(len(candidates), count, replace=False)] if count else candidates


def _nearest_first(places: Int[np.ndarray, "places 2"], former: Former) -> np.ndarray:
    distance = ndimage.distance_transform_edt(~former.bone)
    return np.asarray(places[np.argsort(distance[tuple(places.T)], kind="stable")])


def _window(layer: Absorbance, at: Int[np.ndarray, "2"]) -> Window:
    first = at - WINDOW_PX // 2
    rows, cols = (slice(int(start), int(start) + WINDOW_PX) for start in first)
    return np.asarray(layer[rows, cols], np.float64)


def _spectrum(flat: Window) -> dict[str, float]:
    taper = np.hanning(WINDOW_PX + 2)[1:-1]
    power = np.square(np.abs(np.fft.fft2(flat * taper[:, None] * taper))) + SMALLEST
    down, across = np.meshgrid(*[np.abs(np.fft.fftfreq(WINDOW_PX))] * 2, indexing="ij")
    ring = np.minimum((np.hypot(down, across) * 2 * RINGS).astype(int), RINGS)
    logs = {
        f"power {number}": float(np.log(power[ring == number].mean())) for number in range(RINGS)
    }
    upright = float(np.log(power[down > across].mean() / power[down < across].mean()))
    return logs | {"direction": upright}


def _correlations(flat: Window) -> dict[str, float]:
    variance = float(np.square(flat).mean()) + SMALLEST
    return {
        f"correlation {axis} {lag}": float(
            (
                flat.take(range(lag, WINDOW_PX), axis) * flat.take(range(WINDOW_PX - lag), axis)
            ).mean()
            / variance
        )
        for axis in (0, 1)
        for lag in LAGS_PX
    }


def _moments(unit: Window) -> dict[str, float]:
    at = np.linspace(-1.0, 1.0, WINDOW_PX)
    bowl = np.square(at) - np.square(at).mean()
    down, across = (float((unit.mean(axis) * bowl).mean()) for axis in (1, 0))
    return {
        "skewness": float((unit**3).mean()),
        "kurtosis": float((unit**4).mean()),
        "curvature": down + across,
        "strongest curvature": float(np.hypot(down, across)),
    }


def _patterns(flat: Window) -> dict[str, float]:
    levels = np.round(flat / max(float(flat.std()), 1e-6) * 100).astype(np.int32)
    codes = local_binary_pattern(levels, 8, 1, "uniform")[1:-1, 1:-1].astype(int)
    shares = np.bincount(codes.ravel(), minlength=PATTERNS) / codes.size
    return {f"pattern {code}": float(share) for code, share in enumerate(shares)}
