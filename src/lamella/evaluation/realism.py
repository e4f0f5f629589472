"""Do synthetic joints look real? ``lamella evaluate realism``.

Real joints of a manifest and the same joints at other widths
(:mod:`lamella.evaluation.realism_pairs`), judged in two ways:

* kernel distance of encoder features (:mod:`lamella.evaluation.encoder`): joints are split in
  two halves at random, again and again; the synthetic joints of one half against the real ones
  of the other, beside the real ones of the same half: the distribution under "no difference".
* a classifier, cross-validated by joint (:mod:`lamella.evaluation.told_apart`), on numbers of
  :mod:`lamella.evaluation.joint_features`; at the spacing of the files, and at 0.15 mm, the
  spacing of the detector: the files' finer pixels were interpolated and hold no anatomy.

Two controls that the classifier must find: bones moved in the published way, and real joints
blurred by half a pixel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from rich.progress import track

from lamella.evaluation.contact_sheet import contact_sheet, phantom_pairs
from lamella.evaluation.distances import kernel_distance
from lamella.evaluation.encoder import FeatureSpace
from lamella.evaluation.joint_features import ENCODER, joint_features
from lamella.evaluation.realism_pairs import RealismPair, View, at_detector, realism_pairs
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.told_apart import Lineup, Told, told_apart
from lamella.records import LamellaError

NAME = "realism"
JOINTS = 80
FEWEST_PAIRS = 10
SPLITS = 500
LEVEL_PERCENT = 95.0
SEED = 20250
WANTED_AUC = 0.65
STRONG = 0.9
SUSPECTS = {
    "synthetic": "Lamella, at another width",
    "published": "control: bones moved as published",
    "blurred": "control: real, blurred by 0.5 px",
}
VIEWINGS = ("files", "detector")

Numbers = Mapping[str, Float[np.ndarray, "joints numbers"]]
"""Kind of picture -> numbers of every joint."""


@dataclass(frozen=True, kw_only=True)
class KernelFinding:
    """Kernel distance of a kind of picture from real joints.

    Args:
        distance: mean over splits, one half's pictures against the other half's real joints.
        real: mean of the same between real joints.
        bound: 95th percentile between real joints.
        percentile: of ``distance`` among the distances between real joints.
    """

    distance: float
    real: float
    bound: float
    percentile: float

    @property
    def is_within(self) -> bool:
        """True where the distance lies below the bound."""
        return self.distance < self.bound


def evaluate(data: Path, out: Path) -> str:
    """Judge synthetic joints of a manifest; returns the printed tables.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``realism.json``, ``realism.md`` and ``realism_phantoms.png``, a contact
            sheet of phantoms; of real joints none is drawn
            (:func:`lamella.evaluation.contact_sheet.contact_sheet` does, where asked).

    Raises:
        LamellaError: too few joints.
    """
    table = judge(realism_pairs(data, JOINTS), out)
    contact_sheet(phantom_pairs(), out / f"{NAME}_phantoms.png")
    return table


def judge(pairs: Sequence[RealismPair], out: Path) -> str:
    """Judge pairs and write the tables.

    Raises:
        LamellaError: fewer than ``FEWEST_PAIRS`` pairs.
    """
    if len(pairs) < FEWEST_PAIRS:
        raise LamellaError(
            f"expected {FEWEST_PAIRS} joints or more that can be moved, got {len(pairs)}: "
            "give a larger manifest"
        )
    names, numbers = _numbers(pairs)
    kernels = _kernels(names["files"], numbers["files"])
    told = {
        viewing: {kind: _told(names[viewing], numbers[viewing], kind) for kind in SUSPECTS}
        for viewing in VIEWINGS
    }
    result = {
        "joints": len(pairs),
        "kernel": {kind: asdict(one) for kind, one in kernels.items()},
        "classifier": {
            viewing: {kind: one.as_record() for kind, one in row.items()}
            for viewing, row in told.items()
        },
        "strong": {viewing: is_strong(row) for viewing, row in told.items()},
    }
    return save(out, NAME, result, _tables(kernels, told))


def _kernels(names: Sequence[str], numbers: Numbers) -> dict[str, KernelFinding]:
    encoded = _is_encoded(names)
    real = numbers["real"][:, encoded]
    return {kind: kernel_finding(real, numbers[kind][:, encoded]) for kind in SUSPECTS}


def _is_encoded(names: Sequence[str]) -> np.ndarray:
    return np.array([name.startswith(ENCODER) for name in names])


def kernel_finding(
    real: Float[np.ndarray, "joints channels"], found: Float[np.ndarray, "joints channels"]
) -> KernelFinding:
    """Split the joints in two ``SPLITS`` times; row i of both sets shows the same joint."""
    space = FeatureSpace.of(real)
    real, found = space.standardised(real), space.standardised(found)
    rng = np.random.default_rng(SEED)
    distances = []
    for _ in range(SPLITS):
        order = rng.permutation(len(real))
        one, other = order[: len(order) // 2], order[len(order) // 2 :]
        distances.append([kernel_distance(kind[one], real[other]) for kind in (found, real)])
    ours, between_real = np.array(distances).T
    return KernelFinding(
        distance=float(ours.mean()),
        real=float(between_real.mean()),
        bound=float(np.percentile(between_real, LEVEL_PERCENT)),
        percentile=float(100.0 * (between_real < ours.mean()).mean()),
    )


def is_strong(told: Mapping[str, Told]) -> bool:
    """True when the classifier finds every control."""
    return min(one.auc for kind, one in told.items() if kind != "synthetic") >= STRONG


def _numbers(pairs: Sequence[RealismPair]) -> tuple[dict[str, list[str]], dict[str, Numbers]]:
    """Names and numbers by viewing."""
    kinds = ("real", *SUSPECTS)
    seen: dict[str, dict[str, list[dict[str, float]]]] = {
        viewing: {kind: [] for kind in kinds} for viewing in VIEWINGS
    }
    for pair in track(pairs, "looking"):
        for kind in kinds:
            view: View = getattr(pair, kind)
            for viewing, shown in zip(VIEWINGS, (view, at_detector(view)), strict=True):
                seen[viewing][kind].append(joint_features(shown.pixels, shown.masks))
    names = {viewing: list(found["real"][0]) for viewing, found in seen.items()}
    numbers: dict[str, Numbers] = {
        viewing: {
            kind: np.array([list(one.values()) for one in every]) for kind, every in found.items()
        }
        for viewing, found in seen.items()
    }
    return names, numbers


def _told(names: Sequence[str], numbers: Numbers, kind: str) -> Told:
    """The encoder's channels do not take part: with them the classifier finds less."""
    count, seen = len(numbers["real"]), ~_is_encoded(names)
    return told_apart(
        Lineup(
            names=[name for name, used in zip(names, seen, strict=True) if used],
            numbers=np.concatenate([numbers[kind], numbers["real"]])[:, seen],
            is_suspect=np.repeat([True, False], count),
            joints=np.tile(np.arange(count), 2),
        )
    )


def _tables(kernels: Mapping[str, KernelFinding], told: Mapping[str, Mapping[str, Told]]) -> str:
    kernel = [
        [
            SUSPECTS[kind],
            f"{one.distance:.3f}",
            f"{one.bound:.3f}",
            f"{one.percentile:.0f}",
            "yes" if one.is_within else "no",
        ]
        for kind, one in kernels.items()
    ]
    columns = ["kernel distance to real joints", "mean", "95 % of real to real", "percentile"]
    classifier = [
        [
            SUSPECTS[kind],
            *[told[viewing][kind].cells()[0] for viewing in VIEWINGS],
            *_tells(kind, told),
        ]
        for kind in SUSPECTS
    ]
    heads = ["told from real, AUC", "as filed", "at 0.15 mm", "tells as filed", "tells at 0.15 mm"]
    strong = ", ".join(viewing for viewing in VIEWINGS if is_strong(told[viewing])) or "neither"
    return (
        f"{markdown_table([*columns, 'within'], kernel)}\n{markdown_table(heads, classifier)}\n"
        f"Wanted: within, and AUC at most {WANTED_AUC}; the classifier finds both controls "
        f"(AUC {STRONG} or more) on: {strong}. A kernel distance that has a control within its "
        "bound as well is a blunt judge.\n"
    )


def _tells(kind: str, told: Mapping[str, Mapping[str, Told]]) -> list[str]:
    return [told[viewing][kind].cells()[1] for viewing in VIEWINGS]
