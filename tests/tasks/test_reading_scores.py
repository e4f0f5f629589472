"""Scores of readers, by published and hand-made examples."""

import numpy as np
import pytest

from lamella.records import LamellaError
from lamella.tasks.reading import Kind
from lamella.tasks.reading_scores import (
    Proportion,
    agreement,
    area_under_curve,
    fleiss_kappa,
    score,
)

REAL, GENERATED = Kind.REAL, Kind.GENERATED
KEY = {"1": REAL, "2": REAL, "3": REAL, "4": REAL, "5": GENERATED, "6": GENERATED}

FLEISS_1971_STYLE = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
"""A worked example of 14 raters in textbooks: kappa 0.210."""


@pytest.mark.parametrize(
    ("hits", "trials", "interval"),
    [
        (0, 10, (0.0, 1 - 0.025 ** (1 / 10))),
        (10, 10, (0.025 ** (1 / 10), 1.0)),
        (5, 10, (0.1871, 0.8129)),
        (41, 100, (0.3126, 0.5129)),
    ],
)
def test_exact_intervals(hits, trials, interval):
    one = Proportion(hits=hits, trials=trials)
    assert one.interval == pytest.approx(interval, abs=2e-4)
    assert one.value == hits / trials


def test_an_exact_interval_covers_at_least_its_level():
    """Coverage of the true probability, summed over every outcome of 12 trials."""
    from scipy.stats import binom

    bounds = [Proportion(hits=hits, trials=12).interval for hits in range(13)]
    for true in (0.05, 0.3, 0.5, 0.83):
        covering = [hits for hits, (low, high) in enumerate(bounds) if low <= true <= high]
        assert binom.pmf(covering, 12, true).sum() >= 0.95


def test_generated_is_the_positive_answer():
    said = dict(zip(KEY, [REAL, REAL, REAL, GENERATED, GENERATED, REAL], strict=True))
    one = score([said], KEY)
    assert (one.sensitivity.hits, one.sensitivity.trials) == (1, 2)
    assert (one.specificity.hits, one.specificity.trials) == (3, 4)
    assert (one.accuracy.hits, one.accuracy.trials) == (4, 6)


def test_pooling_adds_readers_up():
    perfect, wrong = dict(KEY), {i: REAL if k is GENERATED else GENERATED for i, k in KEY.items()}
    pooled = score([perfect, perfect, wrong], KEY)
    assert (pooled.accuracy.hits, pooled.accuracy.trials) == (12, 18)
    assert pooled.sensitivity.value == pytest.approx(2 / 3)


def test_a_key_of_one_kind_cannot_be_scored():
    with pytest.raises(LamellaError, match="none that is generated"):
        score([{"1": REAL}], {"1": REAL})


def test_kappa_of_the_textbook_example():
    assert fleiss_kappa(FLEISS_1971_STYLE) == pytest.approx(0.210, abs=5e-4)


def test_kappa_of_full_agreement_and_of_its_opposite():
    assert fleiss_kappa(np.array([[3, 0], [0, 3], [3, 0]])) == pytest.approx(1.0)
    assert fleiss_kappa(np.array([[1, 1], [1, 1]])) == pytest.approx(-1.0)


@pytest.mark.parametrize("counts", [[[1, 0], [0, 1]], [[2, 0], [2, 0]]])
def test_kappa_is_undefined_for_one_reader_or_one_answer(counts):
    assert fleiss_kappa(np.array(counts)) is None


def test_agreement_counts_answers_not_truth():
    wrong = {i: REAL if k is GENERATED else GENERATED for i, k in KEY.items()}
    assert agreement([wrong, wrong], list(KEY)) == pytest.approx(1.0)
    assert agreement([wrong, dict(KEY)], list(KEY)) == pytest.approx(-1.0)
    assert agreement([wrong], list(KEY)) is None


def test_area_under_the_curve_counts_pairs():
    truth = np.array([True, True, False, False, False])
    suspicion = np.array([0.9, 0.4, 0.4, 0.1, 0.8])
    wins = [(a > b) + 0.5 * (a == b) for a in suspicion[truth] for b in suspicion[~truth]]
    assert area_under_curve(truth, suspicion) == pytest.approx(np.mean(wins))
    assert area_under_curve(truth, truth.astype(float)) == 1.0
    assert area_under_curve(truth, np.zeros(5)) == 0.5
