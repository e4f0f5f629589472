"""Recipe: when to believe a comparison of two visits, and by how much to widen its error bar.

``lamella train narrowing -o DIR`` fits, for every method of
:func:`lamella.zoo.narrowing.comparators`, on joints of ``train.json`` and on phantoms:

* *agreement*: a logistic regression of Fisher's z of both bones' correlation that tells visits of
  one joint from other patients' joints, other fingers and mirrored joints, both sides weighing
  the same;
* *least agreement*: ``LEAST_AGREEMENT``, where both are as likely;
* *spread*: what the standard deviations that a method computes must be multiplied by for 90 % of
  the errors of pairs with a known answer to lie inside the 90 % interval, of phantoms as well as
  of moved joints;
* *mismatch*: what unlike bones add to it, the likeliest value given how well three visits close;
* *smallest detectable change*: from the closure of three visits of one joint
  (:mod:`lamella.evaluation.narrowing_consistency`).

No network is trained and none may have seen the answer: the pairs are measured from their pixels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

from lamella.evaluation.narrowing_cases import NarrowingCase, all_methods, measured_pairs
from lamella.evaluation.narrowing_failures import SAME, failure_cases
from lamella.evaluation.narrowing_moved import known_pairs
from lamella.evaluation.narrowing_pairs import phantom_pairs
from lamella.evaluation.narrowing_visit_cases import VisitCase, visit_cases
from lamella.evaluation.narrowing_visits import closure
from lamella.io.write import write_json
from lamella.records import LamellaError
from lamella.records.narrowing import WIDE_90
from lamella.tasks.joint_narrowing import Trust, fisher_z
from lamella.zoo.narrowing import comparator

FILE = "narrowing.json"
PAIRS = 120
KNOWN = 60
PHANTOM_SEED = 1
LEAST_AGREEMENT = 0.5
SHRINKAGE = 0.01
PART_INSIDE = 0.9
MOST_VISITS = 32
MOST_MISMATCH_MM = 0.5
MISMATCHES = 51
LICENCE = (
    "fitted on the public BLS-GAN research images, for which no licence is stated; research use "
    "only"
)


def train(data: Path, out: Path, steps: int | None = None, variant: str | None = None) -> Path:
    """Fit the trust of every method, or of one, and write ``narrowing.json``.

    Args:
        data: folder with ``train.json``.
        out: folder for the file.
        steps: pairs of each class instead of ``PAIRS``.
        variant: name of one method; what ``out`` already holds of the others is kept.

    Raises:
        LamellaError: no joints with several visits, no such method.
    """
    pairs = steps or PAIRS
    known = min(KNOWN, pairs)
    manifest = data / "train.json"
    methods = all_methods() if variant is None else (variant,)
    for name in methods:
        comparator(name)
    classes = failure_cases(manifest, methods, pairs)
    moved = measured_pairs(known_pairs(manifest, known), methods, "moved joints", known)
    phantoms = measured_pairs(phantom_pairs(known, seed=PHANTOM_SEED), methods, "phantoms", known)
    visits = visit_cases(manifest, methods, known)
    trusts = {name: fitted_trust(classes[name], moved[name], phantoms[name]) for name in methods}
    fitted = {
        name: {
            "pairs_of_each_class": pairs,
            "known_pairs": 2 * known,
            "closed_joints": known,
            "smallest_detectable_mm": smallest_detectable(visits[name]),
        }
        | asdict(replace(trust, mismatch_mm=fitted_mismatch(visits[name], trust)))
        for name, trust in trusts.items()
    }
    out.mkdir(parents=True, exist_ok=True)
    others = _kept(out / FILE) if variant is not None else {}
    write_json(
        out / FILE,
        {
            "recipe": {"data": "mcp/train.json", "phantom_seed": PHANTOM_SEED},
            "licence": LICENCE,
            "methods": others | fitted,
        },
    )
    return out / FILE


def fitted_trust(
    classes: Mapping[str, Sequence[NarrowingCase]], *known: Sequence[NarrowingCase]
) -> Trust:
    """When to believe a method.

    Args:
        classes: kind of pair -> its comparisons, among them visits of one joint.
        known: comparisons with a known answer, of one kind each; the widest spread counts.

    Raises:
        LamellaError: nothing was compared on one side.
    """
    same = _correlations(classes[SAME])
    other = np.concatenate(
        [_correlations(cases) for kind, cases in classes.items() if kind != SAME]
    )
    if not len(same) or not len(other):
        raise LamellaError("expected compared pairs of one joint and of different ones, got none")
    upper, lower, constant = _logistic(same, other)
    return Trust(
        upper=upper,
        lower=lower,
        constant=constant,
        least=LEAST_AGREEMENT,
        spread=max((fitted_spread(cases) for cases in known), default=1.0),
    )


def fitted_spread(known: Sequence[NarrowingCase]) -> float:
    """Factor on the computed standard deviations; 1 for a method that computes none."""
    ratios = np.array(
        [abs(case.error_mm) / case.computed_sd_mm for case in known if case.computed_sd_mm > 0]
    )
    ratios = ratios[np.isfinite(ratios)]
    return float(np.quantile(ratios, PART_INSIDE) / WIDE_90) if ratios.size else 1.0


def _kept(path: Path) -> dict[str, Any]:
    """What was fitted before."""
    return dict(json.loads(path.read_text(encoding="utf-8"))["methods"]) if path.is_file() else {}


def fitted_mismatch(cases: Sequence[VisitCase], trust: Trust) -> float:
    """What unlike bones add: the likeliest ``m`` of normal closure errors, mm.

    The closure error of visits i, k, j has the variance
    ``sum (spread sd)^2 + m^2 ((1 - NCC_upper)^2 + (1 - NCC_lower)^2)`` over its three comparisons.

    Args:
        cases: comparisons among visits of real joints.
        trust: fitted before; what it refuses does not count.
    """
    pairs = {
        (case.joint, case.first, case.last): case.case
        for case in cases
        if case.first < case.last and trust.agreement(*case.case.ncc) >= trust.least
    }
    errors, computed, unlike = [], [], []
    for (joint, first, middle), begun in pairs.items():
        for last in range(middle + 1, MOST_VISITS):
            ended = pairs.get((joint, middle, last))
            direct = pairs.get((joint, first, last))
            if ended is not None and direct is not None:
                three = (begun, ended, direct)
                errors.append(begun.measured_mm + ended.measured_mm - direct.measured_mm)
                computed.append(sum((trust.spread * case.computed_sd_mm) ** 2 for case in three))
                unlike.append(sum((1.0 - ncc) ** 2 for case in three for ncc in case.ncc))
    if not errors or not np.isfinite(computed).all():
        return 0.0
    grid = np.linspace(0.0, MOST_MISMATCH_MM, MISMATCHES)
    variance = np.array(computed) + grid[:, None] ** 2 * np.array(unlike)
    cost = (np.log(variance) + np.array(errors) ** 2 / variance).sum(axis=1)
    return float(grid[int(cost.argmin())])


def smallest_detectable(cases: Sequence[VisitCase]) -> float | None:
    """Smallest detectable change from the closure of visits, mm; None where none close."""
    found = closure(cases).detectable_mm.mean
    return float(found) if np.isfinite(found) else None


def _correlations(cases: Sequence[NarrowingCase]) -> np.ndarray:
    """Of the pairs that were compared, (n, 2)."""
    found = np.array([case.ncc for case in cases], np.float64).reshape(-1, 2)
    return found[np.isfinite(found).all(axis=1)]


def _logistic(same: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Weights of both correlations and the constant, both sides weighing the same."""
    features = fisher_z(np.concatenate([same, other]))
    features = np.column_stack([features, np.ones(len(features))])
    sign = np.concatenate([np.ones(len(same)), -np.ones(len(other))])
    weight = np.concatenate(
        [np.full(len(same), 1.0 / len(same)), np.full(len(other), 1.0 / len(other))]
    )

    def loss(coefficients: np.ndarray) -> float:
        fit = np.logaddexp(0.0, -sign * (features @ coefficients))
        return float(weight @ fit + SHRINKAGE / len(sign) * coefficients[:2] @ coefficients[:2])

    upper, lower, constant = optimize.minimize(loss, np.zeros(3), method="BFGS").x
    return float(upper), float(lower), float(constant)
