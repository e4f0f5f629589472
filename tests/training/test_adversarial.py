"""The adversarial loop: what a step does, and runs that go on exactly where they stopped."""

import csv
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import contests
from contests import acting, contest, stage, weights
from lamella.records import LamellaError
from lamella.training.adversarial import compete

LOSSES = ("generator/loss", "supervisor/loss", "supervisor/fake", "learning_rate")


class BrokenRunError(Exception):
    """The machine went away."""


def rows(folder: Path) -> dict[int, dict[str, str]]:
    """Lines with losses of all starts, by step."""
    found = {}
    for file in sorted(folder.rglob("metrics.csv")):
        with file.open() as lines:
            for row in csv.DictReader(lines):
                if row["generator/loss"]:
                    found[int(row["step"])] = {name: row[name] for name in LOSSES}
    return found


def stored(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "last.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    compete(contest(), folder)
    return folder


def assert_same_run(folder: Path, whole: Path) -> None:
    """Losses and every weight and moment, bit for bit."""
    assert rows(folder) == rows(whole)
    mine, its = stored(folder), stored(whole)
    for one, two in zip(mine["networks"], its["networks"], strict=True):
        assert all(torch.equal(one[name], two[name]) for name in two)
    assert all(torch.equal(mine["averaged"][name], two) for name, two in its["averaged"].items())
    for one, two in zip(mine["optimizers"], its["optimizers"], strict=True):
        for number, moments in two["state"].items():
            assert torch.equal(one["state"][number]["exp_avg_sq"], moments["exp_avg_sq"])


def by_hand(steps: int) -> tuple[nn.Module, nn.Module, list[torch.Tensor]]:
    """The same contest in plain PyTorch: one stage, no dropout."""
    made_by, judge = contests.generator(0.0), contests.supervisor()
    networks = (made_by, judge)
    optimizers = [torch.optim.AdamW(net.parameters(), weight_decay=1e-2) for net in networks]
    average = [weight.detach().clone() for weight in made_by.parameters()]
    for step in range(steps):
        done = (step - 2) / (steps - 2)
        part = (step + 1) / 2 if step < 2 else 0.5 * (1 + np.cos(np.pi * done)) + 1e-3
        material = contests.batch(np.random.default_rng([3, step]))
        made = contests.make(made_by, material)
        losses = (
            lambda made=made, of=material: contests.generator_objective(made, judge, of)[0],
            lambda made=made, of=material: contests.supervisor_objective(
                judge, contests.Made(made.image.detach()), of
            )[0],
        )
        for net, optimizer, rate, loss in zip(
            networks, optimizers, (0.02, 0.01), losses, strict=True
        ):
            optimizer.param_groups[0]["lr"] = rate * part
            optimizer.zero_grad()
            loss().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        kept = min(0.5, (1 + step) / (10 + step))
        pairs = zip(average, made_by.parameters(), strict=True)
        average = [kept * old + (1 - kept) * new.detach() for old, new in pairs]
    return made_by, judge, average


def test_the_run_equals_the_same_loop_written_by_hand(tmp_path):
    averaged = compete(contest(generator=contests.generator(0.0), stages=(stage(9),)), tmp_path)
    made_by, judge, average = by_hand(9)
    for network, found in zip((made_by, judge), stored(tmp_path)["networks"], strict=True):
        for name, weight in network.state_dict().items():
            torch.testing.assert_close(found[name], weight, atol=1e-6, rtol=0)
    for found, weight in zip(averaged.parameters(), average, strict=True):
        torch.testing.assert_close(found.data, weight, atol=1e-6, rtol=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 4, 6])
def test_an_interrupted_run_goes_on_to_identical_losses_and_weights(tmp_path, whole, step, number):
    """Inside the first chunk, at the end of the first stage, and in the second one."""
    before = signal.getsignal(number)

    def interrupt(at: int) -> None:
        if at == step:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        compete(acting(interrupt), tmp_path)
    assert signal.getsignal(number) is before
    assert stored(tmp_path)["standing"]["step"] == step + 1
    compete(contest(), tmp_path)
    assert_same_run(tmp_path, whole)


@pytest.mark.parametrize("error", [BrokenRunError, KeyboardInterrupt])
def test_a_run_that_broke_off_goes_on_from_its_last_chunk(tmp_path, whole, error):
    """A second Ctrl-C breaks off too; whoever called hears of it and Ctrl-C works again."""

    def fails(at: int) -> None:
        if at == 7:
            raise error

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(error):
        compete(acting(fails), tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
    assert stored(tmp_path)["standing"]["step"] == 5
    compete(contest(), tmp_path)
    assert_same_run(tmp_path, whole)


def test_a_finished_run_is_not_trained_again(whole):
    def fails(_: int) -> None:
        raise AssertionError

    again = compete(acting(fails), whole)
    averaged = stored(whole)["averaged"]
    assert all(torch.equal(averaged[name], value) for name, value in again.state_dict().items())


def test_the_supervisor_learns_nothing_from_the_generators_turn(tmp_path):
    seen: list[bool] = []

    def objective(made, judge, material):
        seen.extend(weight.requires_grad for weight in judge.parameters())
        seen.extend(weight.grad is not None for weight in judge.parameters() if len(seen) < 9)
        return contests.generator_objective(made, judge, material)

    idle = stage(3, generator_objective=objective, supervisor_learning_rate=0.0)
    judge = contests.supervisor()
    compete(contest(supervisor=judge, stages=(idle,)), tmp_path)
    np.testing.assert_array_equal(weights(judge), weights(contests.supervisor()))
    assert seen
    assert not any(seen)
    assert all(weight.requires_grad for weight in judge.parameters())


def test_what_was_frozen_from_the_start_stays_as_it_was(tmp_path):
    network = contests.generator()
    network[0].requires_grad_(False)
    first = network[0].weight.clone()
    compete(contest(generator=network), tmp_path)
    assert torch.equal(network[0].weight, first)
    assert not torch.equal(network[3].weight, contests.generator()[3].weight)


def test_without_a_supervisor_the_generator_trains_alone(tmp_path):
    found = compete(contest(supervisor=None, stages=(stage(60),), chunk_steps=60), tmp_path)
    before = contests.score(contests.generator().eval())["fidelity"]
    assert contests.score(found)["fidelity"] > 0.5 * before
    assert len(stored(tmp_path)["networks"]) == 1


def test_batches_come_from_the_stage_and_the_number_of_a_step(tmp_path):
    drawn: list[tuple[str, torch.Tensor]] = []

    def watched(name):
        def batches(rng):
            drawn.append((name, contests.batch(rng)))
            return drawn[-1][1]

        return batches

    stages = (stage(3, batches=watched("first")), stage(2, batches=watched("second")))
    compete(contest(stages=stages), tmp_path)
    assert [name for name, _ in drawn] == ["first"] * 3 + ["second"] * 2
    for step, (_, material) in enumerate(drawn):
        expected = contests.batch(np.random.default_rng([contests.PACE.seed, step]))
        assert torch.equal(material.pair.image, expected.pair.image)


def test_each_stage_has_its_own_rise_and_fall_of_the_rate(whole):
    rates = [float(rows(whole)[step]["learning_rate"]) for step in range(1, 13)]
    assert rates[:2] == pytest.approx([0.015, 0.03])
    assert rates[5:7] == pytest.approx([0.01, 0.02])
    assert rates[2] > rates[3] > rates[4]
    assert rates[11] < 0.15 * 0.02


def judged(scores: list[float]):
    left = iter(scores)
    return lambda _: {"fidelity": next(left)}


def test_patience_ends_the_run_and_the_best_average_is_returned(tmp_path):
    averages: list[np.ndarray] = []
    left = iter([0.0, 2.0, 1.0, 1.5, 9.0])

    def validate(network):
        averages.append(weights(network))
        return {"fidelity": next(left)}

    patient = {"stages": (stage(20),), "patience_chunks": 2}
    found = compete(contest(validate=validate, **patient), tmp_path)
    assert len(averages) == 4
    np.testing.assert_array_equal(weights(found), averages[1])
    again = compete(contest(validate=judged([]), **patient), tmp_path)
    np.testing.assert_array_equal(weights(again), averages[1])


def test_patience_is_lost_in_the_last_stage_only(tmp_path):
    stages = (stage(12, name="pre-training"), stage(8))
    scores = [5.0, 4.0, 3.0, 2.0, 1.0]
    compete(contest(validate=judged(scores), stages=stages, patience_chunks=2), tmp_path)
    assert stored(tmp_path)["standing"] == {
        "step": 20, "validations": 5, "best": 5.0, "waited": 2,
    }  # fmt: skip


def test_without_patience_the_last_average_is_returned(tmp_path):
    found = compete(contest(validate=judged([3.0, 2.0, 1.0, 0.0])), tmp_path)
    last = stored(tmp_path)["averaged"]
    assert all(torch.equal(last[name], value) for name, value in found.state_dict().items())
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert (best["step"], best["score"]) == (4, 3.0)


def test_validation_sees_the_average_in_evaluation_mode(tmp_path):
    def validate(network: nn.Module) -> dict[str, float]:
        assert not network.training
        assert not torch.is_grad_enabled()
        return {"fidelity": 0.0}

    network = contests.generator()
    found = compete(contest(generator=network, validate=validate), tmp_path)
    assert network.training
    assert not found.training
    assert np.abs(weights(found) - weights(network)).max() > 0


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32(tmp_path):
    kinds: list[torch.dtype] = []

    def make(network, material):
        kinds.append(network(material.pair.image).dtype)
        return contests.make(network, material)

    found = compete(contest(make=make, precision="bf16-mixed"), tmp_path)
    assert set(kinds) == {torch.bfloat16}
    assert {weight.dtype for weight in found.parameters()} == {torch.float32}


def test_losses_metrics_and_panels_are_logged(tmp_path):
    panel = np.linspace(0, 1, 48, dtype=np.float32).reshape(4, 4, 3)
    compete(contest(panels=lambda _: panel), tmp_path)
    with (tmp_path / "log" / "version_0" / "metrics.csv").open() as lines:
        logged = list(csv.DictReader(lines))
    validated = [int(row["step"]) for row in logged if row["validation/fidelity"]]
    assert validated == [4, 5, 9, 12]
    assert all(float(row["images_per_second"]) > 0 for row in logged if row["generator/loss"])
    panels = sorted(path.name for path in (tmp_path / "panels").iterdir())
    assert panels == ["step_000005.png", "step_000012.png"]
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_checkpoint(tmp_path):
    def objective(made, judge, material):
        loss, parts = contests.generator_objective(made, judge, material)
        return loss / 0.0, parts

    broken = stage(7, generator_objective=objective)
    first = contest().stages[0]
    with pytest.raises(LamellaError, match="expected finite losses, got generator/loss = inf"):
        compete(contest(stages=(first, broken)), tmp_path)
    assert stored(tmp_path)["standing"]["step"] == 5


def test_a_metric_that_is_not_there_cannot_be_watched(tmp_path):
    with pytest.raises(LamellaError, match="watched metric 'sharpness', got fidelity"):
        compete(contest(watched="sharpness"), tmp_path)


def test_other_settings_do_not_take_up_a_run(whole):
    other = contest(ema_decay=0.9)
    message = r"ema_decay = 0.5, got 0.9: keep them or choose another folder"
    with pytest.raises(LamellaError, match=message):
        compete(other, whole)
    with pytest.raises(LamellaError, match="stage 2: steps = 7, got 8"):
        compete(contest(stages=(contest().stages[0], stage(8))), whole)
    compete(contest(workers=1, log_every_steps=5), whole)


def test_torchs_chance_stays_as_it_was(tmp_path):
    started = replace(contest(), stages=(stage(2),))
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    compete(started, tmp_path)
    assert torch.equal(torch.rand(3), expected)
