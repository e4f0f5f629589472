"""Does it know when not to answer? ``lamella evaluate narrowing-failures``.

Pairs that must be refused and pairs that must not, compared from the pixels alone, every header
taken away, so that only the image can tell:

- same joint: two visits of one joint;
- another patient: two joints of different names, the same side and the same finger (a patient has
  one of each, so these are different patients);
- another finger: the same side, another finger. Which joints belong to one hand the data do not
  say, so these are other patients' fingers;
- mirrored: two visits of one joint, the follow-up flipped left to right.

Beside what the method refuses, the whole trade-off is shown: how much of each class would be
refused at any threshold of the agreement, at which so many of the same joints are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from lamella.evaluation.joint_sample import with_spacing
from lamella.evaluation.narrowing_cases import (
    NarrowingCase,
    PreparedVisits,
    case_of,
    compared,
    leading_methods,
)
from lamella.evaluation.narrowing_figures import Curve, curves
from lamella.evaluation.narrowing_scores import plain, proportion_cell
from lamella.evaluation.narrowing_visit_cases import joints_seen_repeatedly, sound_visits
from lamella.evaluation.results import markdown_table, save
from lamella.io.datasets import JointRow, LoadedJoint, joint_rows
from lamella.records import Radiograph
from lamella.tasks.reading_scores import Proportion

NAME = "narrowing_failures"
SEED = 20258
PAIRS = 200
SAME = "same joint"
PATIENT = "another patient"
FINGER = "another finger"
MIRRORED = "mirrored"
TARGETS = {SAME: 0.03, PATIENT: 0.95, MIRRORED: 0.95, FINGER: 0.90}
"""Refused at most, of the first; at least, of the others."""

ALLOWED = (0.01, 0.02, 0.03, 0.05)
"""Parts of the same joints that may be refused in the table of the trade-off."""

Pair = tuple[LoadedJoint, LoadedJoint]


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """Refusing by the agreement alone, below a threshold.

    Args:
        threshold: the highest that refuses no more of the same joints than allowed.
        refused: class -> part refused at it.
    """

    threshold: float
    refused: dict[str, Proportion]


def evaluate(
    data: Path, out: Path, pairs: int = PAIRS, methods: Sequence[str] | None = None
) -> str:
    """Compare all classes of pairs with every method.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``narrowing_failures.json``, ``.md`` and a figure of the first method's
            trade-off.
        pairs: most of each class, drawn with a seed.
        methods: names of comparators; all but other separators' when None.
    """
    cases = failure_cases(data, methods, pairs)
    refused = {name: refusals(classes) for name, classes in cases.items()}
    traded = {
        name: {f"{allowed:g}": trade_off(classes, allowed) for allowed in ALLOWED}
        for name, classes in cases.items()
    }
    areas = {name: separability(classes) for name, classes in cases.items()}
    labels = ("same joints refused, %", "refused, %")
    curves(trade_off_curves(next(iter(cases.values()))), labels, out / NAME)
    result: dict[str, Any] = {
        "targets": TARGETS,
        "refused": plain(refused),
        "trade_off": plain(traded),
        "area_under_curve": areas,
    }
    tables = [refusal_table(refused), trade_off_table(traded, areas)]
    return save(out, NAME, result, "\n".join(tables))


def failure_cases(
    manifest: Path, methods: Sequence[str] | None = None, pairs: int = PAIRS
) -> dict[str, dict[str, list[NarrowingCase]]]:
    """Every class of pairs: method -> class -> its cases.

    Args:
        manifest: of real joints.
        methods: names of comparators; all but other separators' when None.
        pairs: most of each class, drawn with a seed.
    """
    names = leading_methods(methods)
    kept = PreparedVisits(names)
    found: dict[str, dict[str, list[NarrowingCase]]] = {name: {} for name in names}
    for kind, drawn in pairs_of_classes(manifest, pairs).items():
        for name, cases in _compared(kind, drawn, kept).items():
            found[name][kind] = cases
    return found


def pairs_of_classes(manifest: Path, pairs: int = PAIRS) -> dict[str, list[Pair]]:
    """Class -> its pairs of visits; the mirrored ones are not yet flipped."""
    rng = np.random.default_rng(SEED)
    joints = joints_seen_repeatedly(joint_rows(manifest))
    same = [pair for visits in joints.values() for pair in combinations(visits, 2)]
    chosen = [same[at] for at in np.sort(rng.permutation(len(same))[:pairs])]
    rows = joint_rows(manifest)
    return {
        SAME: chosen,
        MIRRORED: chosen,
        PATIENT: _strangers(rows, pairs, rng, same_finger=True),
        FINGER: _strangers(rows, pairs, rng, same_finger=False),
    }


def mirrored(radiograph: Radiograph) -> Radiograph:
    """Flipped left to right, as a film turned over."""
    return replace(radiograph, pixels=radiograph.pixels[:, ::-1])


def refusals(classes: Mapping[str, Sequence[NarrowingCase]]) -> dict[str, Proportion]:
    """Class -> part without an answer."""
    return {
        kind: Proportion(hits=sum(not case.is_accepted for case in cases), trials=len(cases))
        for kind, cases in classes.items()
    }


def trade_off(classes: Mapping[str, Sequence[NarrowingCase]], allowed: float) -> TradeOff:
    """Refuse below the highest threshold that refuses at most so many of the same joints."""
    same = np.sort(_agreement(classes[SAME]))
    threshold = float(same[min(int(allowed * same.size), same.size - 1)])
    return TradeOff(
        threshold=threshold,
        refused={
            kind: Proportion(hits=int((_agreement(cases) < threshold).sum()), trials=len(cases))
            for kind, cases in classes.items()
        },
    )


def separability(classes: Mapping[str, Sequence[NarrowingCase]]) -> dict[str, float]:
    """Class -> chance that its agreement is below that of a same joint, ties counted half."""
    same = _agreement(classes[SAME])[:, None]
    return {
        kind: float(np.mean((_agreement(cases) < same) + 0.5 * (_agreement(cases) == same)))
        for kind, cases in classes.items()
        if kind != SAME
    }


def trade_off_curves(classes: Mapping[str, Sequence[NarrowingCase]]) -> dict[str, Curve]:
    """Class -> percent of the same joints and percent of the class refused, over thresholds."""
    values = {kind: _agreement(cases) for kind, cases in classes.items()}
    thresholds = np.unique(np.concatenate([*values.values(), [np.inf]]))
    refused = {
        kind: 100.0 * np.searchsorted(np.sort(found), thresholds) / found.size
        for kind, found in values.items()
    }
    return {kind: (refused[SAME], part) for kind, part in refused.items() if kind != SAME}


def refusal_table(refused: Mapping[str, Mapping[str, Proportion]]) -> str:
    """One row per method, one column per class, with exact 95 % bounds."""
    kinds = list(TARGETS)
    wanted = [f"{'<=' if kind == SAME else '>='} {part:.0%}" for kind, part in TARGETS.items()]
    rows = [
        [name, *[proportion_cell(found[kind]) for kind in kinds]] for name, found in refused.items()
    ]
    return markdown_table(["refused", *kinds], [["wanted", *wanted], *rows])


def trade_off_table(
    traded: Mapping[str, Mapping[str, TradeOff]], areas: Mapping[str, Mapping[str, float]]
) -> str:
    """Refused by agreement alone, at thresholds that spare the same joints, and areas."""
    kinds = [kind for kind in TARGETS if kind != SAME]
    rows = [
        [f"{name}, {float(allowed):.0%}", f"{found.threshold:.3f}"]
        + [
            f"{proportion_cell(found.refused[kind])}, area {areas[name][kind]:.3f}"
            for kind in kinds
        ]
        for name, by_allowed in traded.items()
        for allowed, found in by_allowed.items()
    ]
    return markdown_table(["method, same joints refused", "agreement below", *kinds], rows)


def _compared(
    kind: str, drawn: Sequence[Pair], kept: PreparedVisits
) -> dict[str, list[NarrowingCase]]:
    cases: dict[str, list[NarrowingCase]] = defaultdict(list)
    for first, last in track(drawn, f"comparing: {kind}"):
        baseline = kept.of(str(first.row.image), _bare(first))
        if kind == MIRRORED:
            followup = kept.of(f"mirrored {last.row.image}", mirrored(_bare(last)))
        else:
            followup = kept.of(str(last.row.image), _bare(last))
        for name, found in compared(baseline, followup).items():
            cases[name].append(case_of(found, first.row.joint))
    return dict(cases)


def _strangers(
    rows: Sequence[JointRow], pairs: int, rng: np.random.Generator, *, same_finger: bool
) -> list[Pair]:
    """Random visits of random pairs of joints of one side, one visit of each joint opened."""
    visits: dict[str, JointRow] = {}
    for at in rng.permutation(len(rows)):
        visits.setdefault(rows[at].joint, rows[at])
    opened = {joint.row.joint: joint for joint in sound_visits(list(visits.values()))}
    fitting = [
        pair
        for pair in combinations(sorted(opened), 2)
        if _side(pair[0]) == _side(pair[1])
        and (_finger(pair[0]) == _finger(pair[1])) is same_finger
    ]
    chosen = [fitting[at] for at in rng.permutation(len(fitting))[:pairs]]
    return [(opened[first], opened[last]) for first, last in chosen]


def _side(joint: str) -> str:
    return joint.split("_")[1]


def _finger(joint: str) -> str:
    return joint.split("_")[-1]


def _bare(joint: LoadedJoint) -> Radiograph:
    """Without the side of the body."""
    return replace(with_spacing(joint), laterality=None)


def _agreement(cases: Sequence[NarrowingCase]) -> np.ndarray:
    return np.nan_to_num(np.array([case.agreement for case in cases], np.float64), nan=-1.0)
