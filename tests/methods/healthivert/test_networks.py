"""The generator: variants, heights, export."""

import onnxruntime
import pytest
import torch

from lamella.methods.healthivert.channels import Channel, Map
from lamella.methods.healthivert.networks import (
    AS_PUBLISHED,
    COARSE_ONLY,
    EXACT,
    OUTPUTS,
    WITHOUT_ATTENTION,
    WITHOUT_HEIGHT,
    Generator,
    GeneratorConfig,
    folded,
)
from lamella.training.export import export_onnx, load_weights

SMALL = {
    "exact": GeneratorConfig(width=8),
    "as-published": GeneratorConfig(kind="as-published", width=8, relative=False),
    "without-height": GeneratorConfig(width=8, adaptive=False),
    "without-attention": GeneratorConfig(width=8, guided=False),
    "coarse-only": GeneratorConfig(width=8, stages=1),
    "published-coarse-only": GeneratorConfig(
        kind="as-published", width=8, relative=False, stages=1
    ),
}


def seen_of(prior_rows=24.0, rows=32, cols=48):
    torch.manual_seed(1)
    seen = torch.randn(2, 7, rows, cols)
    seen[:, Channel.GAP] = 0.0
    seen[:, Channel.GAP, 8:24] = 1.0
    seen[:, Channel.PRIOR] = prior_rows / 40.0
    return seen


def unlike(network):
    """No two parameters alike, as after training: the exporter stores equal ones once."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))


@pytest.mark.parametrize("name", SMALL)
def test_every_variant_draws_four_maps_and_two_heights_and_learns(name):
    torch.manual_seed(0)
    network = Generator(SMALL[name])
    drawn = network(seen_of())
    assert drawn.maps.shape == (2, 4, 32, 48)
    assert drawn.heights.shape == (2, 2)
    for probability in (Map.FINE_SEG, Map.COARSE_SEG):
        assert 0.0 < drawn.of(probability).min() <= drawn.of(probability).max() < 1.0
    (drawn.maps.square().sum() + drawn.heights.sum()).backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None]
    expected = [n for n, _ in network.named_parameters() if "height" in n]
    assert silent == (expected if name == "without-height" else [])


def test_ablations_differ_from_the_exact_variant_in_one_thing():
    assert GeneratorConfig(adaptive=False) == WITHOUT_HEIGHT
    assert GeneratorConfig(guided=False) == WITHOUT_ATTENTION
    assert GeneratorConfig(stages=1) == COARSE_ONLY
    assert GeneratorConfig() == EXACT


@pytest.mark.parametrize(("config", "least", "most"), [(EXACT, 5e5, 9e5), (AS_PUBLISHED, 9e5, 1e6)])
def test_parameters_are_as_many_as_planned(config, least, most):
    count = sum(parameter.numel() for parameter in Generator(config).parameters())
    assert least < count < most


def test_the_exact_height_starts_at_the_prior_and_stays_within_reach():
    network = Generator(SMALL["exact"])
    assert network(seen_of(27.0)).heights.detach().numpy() == pytest.approx(27.0, rel=1e-5)
    with torch.no_grad():
        network.fine.height.bias.fill_(100.0)
        network.coarse.height.bias.fill_(-0.7)
    first, second = network(seen_of(27.0)).heights[0].detach().numpy()
    assert second == pytest.approx(27.0 * 2.718281828**0.35, rel=1e-4)
    assert first == pytest.approx(27.0 * 2.718281828 ** (0.35 * -0.6043678), rel=1e-4)


def test_the_published_height_is_forty_sigmoid():
    network = Generator(SMALL["as-published"])
    with torch.no_grad():
        for stage in (network.coarse, network.fine):
            stage.height.weight.zero_()
            stage.height.bias.fill_(0.4)
    assert network(seen_of()).heights.detach().numpy() == pytest.approx(
        40 / (1 + 2.718281828**-0.4)
    )


def test_without_height_restoration_the_height_is_the_priors():
    heights = Generator(SMALL["without-height"])(seen_of(21.0)).heights
    assert heights.numpy() == pytest.approx(21.0, rel=1e-5)


@pytest.mark.parametrize("name", ["exact", "as-published", "coarse-only"])
def test_the_exported_generator_draws_the_same_and_returns(name, tmp_path):
    torch.manual_seed(0)
    network = folded(Generator(SMALL[name]).eval())
    unlike(network)
    path = tmp_path / "generator.onnx"
    export_onnx(network, path, len(Channel), OUTPUTS)
    seen = seen_of(rows=160, cols=96)
    found = onnxruntime.InferenceSession(str(path)).run(None, {"input": seen.numpy()})
    with torch.no_grad():
        drawn = network(seen)
    for ours, theirs in zip(drawn, found, strict=True):
        assert theirs == pytest.approx(ours.numpy(), abs=1e-3)
    again = load_weights(folded(Generator(SMALL[name])), path)
    with torch.no_grad():
        torch.testing.assert_close(again(seen).maps, drawn.maps)


def test_folding_keeps_what_the_published_network_draws():
    torch.manual_seed(0)
    network = Generator(SMALL["as-published"]).eval()
    with torch.no_grad():
        before = network(seen_of()).maps
        after = folded(network)(seen_of()).maps
    torch.testing.assert_close(after, before)
    assert not any("parametrizations" in name for name in network.state_dict())
