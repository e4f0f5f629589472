"""The strongest reader here: can a classifier tell generated overlaps from real bone?

``lamella evaluate reader``. For every separator a forest of extremely randomised trees (Geurts
2006) learns to tell patches of separated layers from patches of bones that nothing ever
overlapped (:mod:`lamella.evaluation.reader_patches`), cross-validated by joint. An area under the
ROC curve of 0.5 is guessing, 1 certainty. Two rows judge the test itself: on controls, layers
that are plainly wrong, the reader must reach ``STRONG``; on patches without any generated pixel
it should find nothing, and what it finds there is owed to the choice of joints.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from rich.progress import track
from scipy import ndimage
from sklearn.ensemble import ExtraTreesClassifier

from lamella.evaluation.reader_features import Features, features, surroundings_features
from lamella.evaluation.reader_patches import (
    Pair,
    bones_of,
    generated_patch,
    matched_pairs,
    real_patch,
)
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.rows import Separated, Separator, shipped
from lamella.evaluation.trained import all_rows
from lamella.records import Radiograph
from lamella.tasks.reading_scores import area_under_curve
from lamella.types import Image, Mask

SEED = 20250
STRONG = 0.9
BLUR_PX = 1.5
TREES = 300
FEWEST_IN_LEAF = 3
RESAMPLES = 1000
TELLS = 3
GREY_LEVEL = 1.0 / 255.0
EQUAL_SPLIT = "equal split"
BLURRED = "Lamella, blurred in the overlap"
SURROUNDINGS = "no generated pixel"

Layers = Mapping[tuple[str, str], Image]
"""(radiograph, bone) -> layer image."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Features of one patch.

    Args:
        unit: radiograph and bone, whose patches are judged together.
        joint: groups visits of one joint.
        fold: of the cross-validation.
        is_generated: the truth.
        features: what the reader sees.
    """

    unit: tuple[str, str, bool]
    joint: str
    fold: int
    is_generated: bool
    features: Features


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How well generated and real could be told apart.

    Args:
        auc: area under the ROC curve over bones.
        interval: 95 %, bootstrap over joints.
        bones: generated and real together.
        tells: the features that alone tell most, with their own area.
    """

    auc: float
    interval: tuple[float, float]
    bones: int
    tells: Mapping[str, float]


def evaluate(data: Path, out: Path, networks: Path | None = None) -> str:
    """Run the reader on every row; returns the printed table.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``reader.json`` and ``reader.md``.
        networks: folder of trained networks, further rows.

    Raises:
        LamellaError: too few joints for every fold.
    """
    return judge(all_rows(networks), data, out)


def judge(rows: Mapping[str, Separator], data: Path, out: Path) -> str:
    """Run the reader on named separators and on its controls.

    Args:
        rows: name -> separator.
        data: manifest.
        out: folder for the results.

    Raises:
        LamellaError: too few joints for every fold.
    """
    pairs = matched_pairs(*bones_of(data), SEED)
    judged = {**rows, BLURRED: blurred(shipped("exact"))}
    readings = {
        name: read_row(pairs, separator) for name, separator in track(judged.items(), "reading")
    }
    readings[SURROUNDINGS] = read_surroundings(pairs)
    result = {
        "pairs": len(pairs),
        "blur_px": BLUR_PX,
        "strong": is_strong(readings),
        "rows": {name: vars(reading) for name, reading in readings.items()},
    }
    return save(out, "reader", result, _table(readings))


def blurred(separator: Separator) -> Separator:
    """A separator whose layers are blurred inside the overlap: a control, plainly wrong."""

    def control(radiograph: Radiograph, masks: Mapping[str, Mask]) -> Separated:
        made = separator(radiograph, masks)
        overlap = np.all(list(masks.values()), axis=0)
        layers = tuple(
            np.where(overlap, ndimage.gaussian_filter(layer, BLUR_PX), layer)
            for layer in made.layers
        )
        return replace(made, layers=layers)

    return control


def is_strong(readings: Mapping[str, Reading]) -> bool:
    """True when the reader reaches ``STRONG`` on every control there is."""
    controls = [readings[name] for name in (BLURRED, EQUAL_SPLIT) if name in readings]
    return bool(controls) and min(reading.auc for reading in controls) >= STRONG


def read_row(pairs: Sequence[Pair], separator: Separator) -> Reading:
    """Judge one separator's layers against real bones."""
    layers = layers_of(pairs, separator)

    def made(pair: Pair) -> Features:
        bone = pair.generated
        return features(pair, generated_patch(pair, layers[bone.source, bone.name]))

    return read(_samples(pairs, made, lambda pair: features(pair, real_patch(pair))))


def read_surroundings(pairs: Sequence[Pair]) -> Reading:
    """Judge pixels away from the overlap: what the choice of joints alone gives away."""

    def made(pair: Pair) -> Features:
        return surroundings_features(pair, generated_patch(pair, pair.generated.pixels))

    return read(_samples(pairs, made, lambda pair: surroundings_features(pair, real_patch(pair))))


def layers_of(pairs: Sequence[Pair], separator: Separator) -> Layers:
    """Every generated bone's layer, each joint separated once."""
    layers: dict[tuple[str, str], Image] = {}
    for bone in {pair.generated.source: pair.generated for pair in pairs}.values():
        masks = {"upper": bone.mask, "lower": bone.other}
        if bone.name == "lower":
            masks = {"upper": bone.other, "lower": bone.mask}
        made = separator(Radiograph(pixels=bone.pixels, grey_level=GREY_LEVEL), masks)
        layers |= {(bone.source, name): one for name, one in zip(masks, made.layers, strict=True)}
    return layers


def read(samples: Sequence[Sample]) -> Reading:
    """Cross-validate the reader by joint and measure it over bones."""
    matrix = np.array([list(sample.features.values()) for sample in samples])
    truth = np.array([sample.is_generated for sample in samples])
    suspicion = _suspicion(matrix, truth, np.array([sample.fold for sample in samples]))
    units = sorted({sample.unit for sample in samples})
    number = {unit: place for place, unit in enumerate(units)}
    of = np.array([number[sample.unit] for sample in samples])
    joint_of = {sample.unit: sample.joint for sample in samples}
    over_bones = np.array([unit[2] for unit in units])
    mean = np.bincount(of, suspicion) / np.bincount(of)
    groups = np.unique([joint_of[unit] for unit in units], return_inverse=True)[1]
    return Reading(
        auc=area_under_curve(over_bones, mean),
        interval=bootstrap_interval(over_bones, mean, groups),
        bones=len(units),
        tells=_tells(samples, matrix, truth),
    )


def bootstrap_interval(
    is_generated: Bool[np.ndarray, "bones"],
    suspicion: Float[np.ndarray, "bones"],
    joints: Int[np.ndarray, "bones"],
) -> tuple[float, float]:
    """95 % percentile interval of the area under the curve, joints resampled."""
    rng = np.random.default_rng(SEED)
    members = [np.flatnonzero(joints == joint) for joint in np.unique(joints)]
    areas = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(members), len(members))
        bones = np.concatenate([members[joint] for joint in drawn])
        if 0 < is_generated[bones].sum() < bones.size:
            areas.append(area_under_curve(is_generated[bones], suspicion[bones]))
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(low), float(high)


def _samples(
    pairs: Sequence[Pair], made: Callable[[Pair], Features], real: Callable[[Pair], Features]
) -> list[Sample]:
    return [
        Sample(
            unit=(bone.source, bone.name, is_generated),
            joint=bone.joint,
            fold=pair.fold,
            is_generated=is_generated,
            features=seen(pair),
        )
        for pair in pairs
        for bone, seen, is_generated in (
            (pair.generated, made, True),
            (pair.real, real, False),
        )
    ]


def _suspicion(
    matrix: Float[np.ndarray, "patches features"],
    truth: Bool[np.ndarray, "patches"],
    fold: Int[np.ndarray, "patches"],
) -> Float[np.ndarray, "patches"]:
    """Probability of being generated, each fold judged by a forest that never saw it."""
    suspicion = np.zeros(len(truth))
    for held_out in np.unique(fold):
        test = fold == held_out
        forest = ExtraTreesClassifier(TREES, min_samples_leaf=FEWEST_IN_LEAF, random_state=SEED)
        forest.fit(matrix[~test], truth[~test])
        suspicion[test] = forest.predict_proba(matrix[test])[:, 1]
    return suspicion


def _tells(
    samples: Sequence[Sample],
    matrix: Float[np.ndarray, "patches features"],
    truth: Bool[np.ndarray, "patches"],
) -> dict[str, float]:
    """The features that alone tell most; an area below 0.5 means lower where generated."""
    areas = {
        name: area_under_curve(truth, column)
        for name, column in zip(samples[0].features, matrix.T, strict=True)
    }
    ranked = sorted(areas, key=lambda name: -abs(areas[name] - 0.5))
    return {name: areas[name] for name in ranked[:TELLS]}


def _table(readings: Mapping[str, Reading]) -> str:
    rows = [
        [
            name,
            f"{reading.auc:.3f}",
            "{:.3f} to {:.3f}".format(*reading.interval),
            ", ".join(f"{tell} ({area:.2f})" for tell, area in reading.tells.items()),
        ]
        for name, reading in readings.items()
    ]
    table = markdown_table(["told from real bone", "AUC", "95 % interval", "strongest tells"], rows)
    verdict = "strong enough" if is_strong(readings) else "too weak: the areas above say little"
    return (
        f"{table}\nAUC 0.5: cannot be told from real. Controls: {BLURRED!r} and {EQUAL_SPLIT!r}; "
        f"a reader that reaches {STRONG} on both is strong enough; this one is {verdict}. "
        f"{SURROUNDINGS!r}: what the choice of joints gives away.\n"
    )
