"""What the recipes of two stages share."""

from pathlib import Path

import pytest

from lamella.recipes import bls_gan, lsn
from lamella.recipes.two_stages import accelerated, refuse_unknown, shortened
from lamella.records import LamellaError


@pytest.mark.parametrize("module", [bls_gan, lsn])
@pytest.mark.parametrize("steps", [2, 7, 300])
def test_a_shorter_recipe_keeps_its_stages_in_proportion(module, steps):
    whole = module.cpu(Path("data"))
    short = shortened(whole, steps)
    assert short.pretraining_steps + short.main_steps == steps
    part = whole.main_steps / (whole.main_steps + whole.pretraining_steps)
    assert short.main_steps == pytest.approx(part * steps, abs=1.0)
    assert (short.widths, short.batch) == (whole.widths, whole.batch)


def test_an_unknown_name_is_refused_with_the_known_ones():
    refuse_unknown([("tiny", {"tiny": 1, "cpu": 2})])
    with pytest.raises(LamellaError, match="expected one of tiny, cpu, got 'huge'"):
        refuse_unknown([("tiny", {"tiny": 1}), ("huge", {"tiny": 1, "cpu": 2})])


def test_full_recipes_go_at_the_accelerated_pace():
    assert accelerated().accelerator == "auto"
    assert {module.full(Path("data")).pace for module in (bls_gan, lsn)} == {accelerated()}
