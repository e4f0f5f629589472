"""What happens at the end of a chunk."""

import numpy as np
import pytest
import torch

import contests
from contests import contest, stage
from lamella.records import LamellaError
from lamella.training.checkpoints import Standing
from lamella.training.judge import BEST, draw_panel, is_over, judge, keep_best


def test_metrics_are_numbers_by_name():
    made = contest(validate=lambda _: {"fidelity": np.float32(0.5), "rows": 3})
    assert judge(contests.generator(), made, Standing()) == {"fidelity": 0.5, "rows": 3.0}


def test_the_watched_metric_must_be_there():
    made = contest(validate=lambda _: {"sharpness": 1.0})
    with pytest.raises(LamellaError, match="'fidelity', got sharpness at step 4"):
        judge(contests.generator(), made, Standing(step=4))


def test_the_best_weights_are_kept(tmp_path):
    made, standing, network = contest(stages=(stage(50),)), Standing(), contests.generator()
    first = network[0].weight.clone()
    for step, score in ((4, 1.0), (8, 0.5), (12, float("nan"))):
        standing.step = step
        keep_best(network, made, standing, score=score, folder=tmp_path)
        torch.nn.init.zeros_(network[0].weight)
    best = torch.load(tmp_path / BEST, weights_only=True)
    assert torch.equal(best["averaged"]["0.weight"], first)
    assert (best["step"], best["score"]) == (4, 1.0)
    assert (standing.best, standing.waited) == (1.0, 2)
    standing.step = 16
    keep_best(network, made, standing, score=1.1, folder=tmp_path)
    assert torch.load(tmp_path / BEST, weights_only=True)["step"] == 16
    assert (standing.best, standing.waited) == (1.1, 0)


@pytest.mark.parametrize(
    ("patience", "standing", "over"),
    [
        (None, Standing(step=12), True),
        (None, Standing(step=11, waited=99), False),
        (3, Standing(step=9, waited=2), False),
        (3, Standing(step=9, waited=3), True),
    ],
)
def test_a_run_ends_with_its_steps_or_its_patience(patience, standing, over):
    assert is_over(contest(patience_chunks=patience), standing) is over


def test_panels_come_every_few_validations_and_at_the_end(tmp_path):
    made = contest(panels=lambda _: np.zeros((4, 4)), panel_every_chunks=3)
    network, drawn = contests.generator(), []
    for number in range(1, 8):
        standing = Standing(step=12 if number == 7 else number, validations=number)
        if draw_panel(network, made, standing, tmp_path) is not None:
            drawn.append(number)
    assert drawn == [3, 6, 7]
    assert (tmp_path / "panels" / "step_000012.png").is_file()
    assert draw_panel(network, contest(), Standing(step=12, validations=3), tmp_path) is None
