"""The training loop: batches by number, averaged weights, and runs that can be taken up again."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.training.loop import Job, Schedule, fit, seeded

SCHEDULE = Schedule(steps=7, chunk_steps=3, warmup_steps=2, learning_rate=0.05, ema_decay=0.5)


class InterruptedRunError(Exception):
    """The machine was needed for something else."""


def network() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 1, 3, padding=1))


def batch(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.random((2, 1, 8, 8), dtype=np.float32))


def objective(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    loss = (network(batch) - batch.flip(-1)).square().mean()
    return loss, {"rmse": loss.detach().sqrt()}


def job(**changes: Any) -> Job:
    made = Job(
        network=network(),
        objective=objective,
        batches=batch,
        validate=lambda _: {"judged": 1.0},
        schedule=SCHEDULE,
    )
    return replace(made, **changes)


def weights(network: nn.Module) -> np.ndarray:
    return np.concatenate([weight.detach().numpy().ravel() for weight in network.parameters()])


def stops_after(steps: int) -> Callable[..., tuple[Tensor, dict[str, Tensor]]]:
    """An objective that is interrupted when asked for one step more."""
    left = [steps]

    def stopping(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if left[0] == 0:
            raise InterruptedRunError
        left[0] -= 1
        return objective(network, batch)

    return stopping


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return weights(fit(job(), tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize("steps", [3, 5, 6])
def test_a_run_taken_up_again_equals_the_uninterrupted_one(tmp_path, uninterrupted, steps):
    """Interrupted at the end of a chunk or inside one: the last whole chunk is gone on from."""
    with pytest.raises(InterruptedRunError):
        fit(job(objective=stops_after(steps)), tmp_path)
    assert (tmp_path / "last.ckpt").is_file()
    again = weights(fit(job(), tmp_path))
    assert np.abs(again - uninterrupted).max() <= 1e-6


def test_a_finished_run_taken_up_again_returns_the_same_network(tmp_path, uninterrupted):
    fit(job(), tmp_path)
    again = weights(fit(job(), tmp_path))
    assert np.abs(again - uninterrupted).max() <= 1e-6


def test_runs_replay_from_their_seed_and_differ_with_it(tmp_path, uninterrupted):
    same = weights(fit(job(), tmp_path / "same"))
    other = weights(fit(job(schedule=replace(SCHEDULE, seed=1)), tmp_path / "other"))
    np.testing.assert_array_equal(same, uninterrupted)
    assert np.abs(other - uninterrupted).max() > 1e-4


def test_step_i_draws_its_batch_from_seed_and_i_alone(tmp_path):
    drawn: list[Tensor] = []

    def watched(rng: np.random.Generator) -> Tensor:
        drawn.append(batch(rng))
        return drawn[-1]

    fit(job(batches=watched), tmp_path)
    assert len(drawn) == SCHEDULE.steps
    for number, seen in enumerate(drawn):
        torch.testing.assert_close(seen, batch(np.random.default_rng([SCHEDULE.seed, number])))


def test_a_resumed_run_draws_the_batches_that_were_left(tmp_path):
    drawn: list[Tensor] = []

    def watched(rng: np.random.Generator) -> Tensor:
        drawn.append(batch(rng))
        return drawn[-1]

    with pytest.raises(InterruptedRunError):
        fit(job(objective=stops_after(4)), tmp_path)
    fit(job(batches=watched), tmp_path)
    assert len(drawn) == SCHEDULE.steps - SCHEDULE.chunk_steps
    first = batch(np.random.default_rng([SCHEDULE.seed, SCHEDULE.chunk_steps]))
    torch.testing.assert_close(drawn[0], first)


def test_the_average_starts_at_the_first_step_and_decays(tmp_path):
    """Replayed by hand: E_1 = W_1, then E_k = d E_(k-1) + (1 - d) W_k."""
    before_step: list[np.ndarray] = []
    averages: list[np.ndarray] = []

    def watched(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        before_step.append(weights(network))
        return objective(network, batch)

    def validate(network: nn.Module) -> dict[str, float]:
        averages.append(weights(network))
        return {"judged": 1.0}

    schedule = replace(SCHEDULE, steps=5, chunk_steps=1)
    fit(job(objective=watched, validate=validate, schedule=schedule), tmp_path)
    expected = before_step[1]
    for number in range(1, 4):
        np.testing.assert_allclose(averages[number - 1], expected, atol=1e-6)
        decay = schedule.ema_decay
        expected = decay * expected + (1 - decay) * before_step[number + 1]


def test_the_average_is_what_is_validated(tmp_path):
    judged: list[np.ndarray] = []

    def validate(network: nn.Module) -> dict[str, float]:
        judged.append(weights(network))
        return {"judged": float(len(judged))}

    found = weights(fit(job(validate=validate), tmp_path))
    assert len(judged) == 3
    np.testing.assert_array_equal(judged[-1], found)


def test_training_lowers_the_loss_and_logs_it(tmp_path):
    schedule = replace(SCHEDULE, steps=40, chunk_steps=20, learning_rate=0.02)
    before = objective(network(), batch(np.random.default_rng(9)))[0].item()
    trained = fit(job(schedule=schedule), tmp_path)
    after = objective(trained, batch(np.random.default_rng(9)))[0].item()
    assert after < 0.8 * before
    assert {"loss", "rmse", "judged"} <= logged(tmp_path)


def logged(folder: Path) -> set[str]:
    (file,) = folder.rglob("metrics.csv")
    with file.open() as lines:
        return set(csv.DictReader(lines).fieldnames or ())


def test_workers_that_prepare_batches_change_nothing(tmp_path, uninterrupted):
    ahead = replace(SCHEDULE, workers=1)
    assert np.abs(weights(fit(job(schedule=ahead), tmp_path)) - uninterrupted).max() <= 1e-6


def test_first_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = seeded(lambda: nn.Linear(3, 3), 7)
    untouched = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == untouched
    again, other = (seeded(lambda: nn.Linear(3, 3), seed) for seed in (7, 8))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
