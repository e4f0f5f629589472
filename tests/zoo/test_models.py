"""The shipped networks: complete cards, undamaged files, the same outputs as in PyTorch."""

import hashlib
from importlib.resources import as_file, files

import numpy as np
import pytest
import torch

from lamella.methods.bls_gan.networks import BlsGan
from lamella.methods.bones.networks import BonesNetwork
from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.classifier import Classifier
from lamella.methods.healthivert.networks import Generator
from lamella.methods.lsn.networks import LayerNetwork, SoftSharesNetwork
from lamella.methods.shares.calibrate import Calibration
from lamella.methods.shares.networks import SharesNetwork
from lamella.nets.backbones import backbone
from lamella.records import LamellaError
from lamella.training.export import load_weights
from lamella.zoo import models

CHANNELS = {"bls-gan": 2, "bones": 2, "lsn": 3, "lsn-as-published": 3, "shares": 3}
CARD_KEYS = {
    "name",
    "purpose",
    "licence",
    "recipe",
    "parameters",
    "outputs",
    "trained_with",
    "sha256",
    "metrics",
}


@pytest.fixture
def fresh_sessions():
    """Sessions are kept for the process: start and end without any."""
    models.session.cache_clear()
    yield
    models.session.cache_clear()


def a_batch(channels: int, rows: int = 64, cols: int = 96) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, channels, rows, cols)).astype(np.float32)


def bls_gan(widths: tuple[int, ...]) -> BlsGan:
    """The published method's network on the light backbone."""
    return BlsGan(backbone("light", widths=widths))


def lsn_as_published(widths: tuple[int, ...]) -> LayerNetwork:
    """LSN's published network on the light backbone."""
    return LayerNetwork(backbone("light", widths=widths))


SHIPPED = (
    "bls-gan",
    "bones",
    "healthivert-classifier",
    "healthivert-coronal",
    "healthivert-sagittal",
    "lsn",
    "lsn-as-published",
    "registration-layers",
    "registration-plain",
    "shares",
)
NETWORKS = {
    "bls-gan": (bls_gan, 3),
    "bones": (BonesNetwork, 1),
    "lsn": (SoftSharesNetwork, 4),
    "lsn-as-published": (lsn_as_published, 4),
    "shares": (SharesNetwork, 4),
}

SPINE = {
    "healthivert-classifier": (Classifier, 1),
    "healthivert-coronal": (Generator, len(Channel)),
    "healthivert-sagittal": (Generator, len(Channel)),
}


def test_the_networks_that_are_shipped():
    assert models.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_cards_are_complete(name):
    card = models.card(name)
    assert sorted(CARD_KEYS - card.keys()) == []
    assert card["name"] == name
    assert "research use only" in card["licence"]
    assert card["metrics"]
    assert all(value for value in card.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_cards_name_the_data_and_not_its_place(name):
    recipe = models.card(name)["recipe"]
    assert not recipe["data"].startswith("/")
    assert recipe["data"].endswith("train.json")
    assert {"widths", "batch"} <= recipe.keys()
    assert {"schedule", "pace"} & recipe.keys()


def test_the_shares_card_holds_a_calibration_for_its_standard_deviations():
    calibration = Calibration.of(models.card("shares")["calibration"])
    assert calibration.factors.shape == (calibration.size_knots.size, calibration.sd_knots.size)
    for knots in (calibration.size_knots, calibration.sd_knots):
        assert (np.diff(knots) > 0).all()
    assert (calibration.factors > 0).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_is_the_one_its_card_describes(name):
    weights = (files("lamella.zoo") / f"{name}.onnx").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == models.weights_sha256()[name]


def test_a_damaged_file_is_refused_with_a_remedy(monkeypatch, fresh_sessions):
    monkeypatch.setattr(models, "card", lambda _: {"sha256": "0" * 64})
    match = r"weights of 'bones' are damaged \(SHA-256 \w{12}, expected 0{12}\): install"
    with pytest.raises(LamellaError, match=match):
        models.run("bones", a_batch(1))


@pytest.mark.parametrize("ask", [models.card, models.session])
def test_an_unknown_network_is_refused_with_the_names_there_are(ask):
    with pytest.raises(
        LamellaError,
        match=f"no network 'spines' in the zoo, only {', '.join(SHIPPED)}",
    ):
        ask("spines")


def test_a_session_is_kept(fresh_sessions):
    assert models.session("bones") is models.session("bones")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("rows", "cols"), [(32, 48), (64, 16)])
def test_networks_take_any_batch_whose_sides_divide_by_16(name, rows, cols):
    channels = NETWORKS[name][1]
    outputs = models.run(name, a_batch(channels, rows, cols).astype(np.float64))
    assert outputs[0].shape == (2, CHANNELS[name], rows, cols)
    assert all(np.isfinite(output).all() for output in outputs)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_shipped_weights_give_the_same_outputs_in_pytorch(name):
    """Parity: initialisers of the file, loaded into the network that the card's recipe builds."""
    made, channels = NETWORKS[name]
    network = made(tuple(models.card(name)["recipe"]["widths"]))
    with as_file(files("lamella.zoo") / f"{name}.onnx") as path:
        load_weights(network, path)
    batch = a_batch(channels)
    with torch.no_grad():
        output = network(torch.from_numpy(batch))
    expected = output if isinstance(output, tuple) else (output,)
    for found, other in zip(models.run(name, batch), expected, strict=True):
        np.testing.assert_allclose(found, other.numpy(), atol=1e-4)
    assert models.card(name)["parameters"] == sum(part.numel() for part in network.parameters())


@pytest.mark.parametrize("name", SPINE)
def test_the_shipped_networks_of_the_spine_give_the_same_outputs_in_pytorch(name):
    made, channels = SPINE[name]
    network = made()
    with as_file(files("lamella.zoo") / f"{name}.onnx") as path:
        load_weights(network, path)
    batch = a_batch(channels)
    with torch.no_grad():
        expected = network(torch.from_numpy(batch))
    for found, other in zip(models.run(name, batch), expected, strict=True):
        np.testing.assert_allclose(found, other.numpy(), atol=1e-4)
    assert models.card(name)["parameters"] == sum(part.numel() for part in network.parameters())


def test_the_networks_of_the_spine_fit_their_ten_megabytes():
    sizes = [len((files("lamella.zoo") / f"{name}.onnx").read_bytes()) for name in SPINE]
    assert sum(sizes) <= 10e6


def test_digests_of_the_wanted_networks_alone():
    every = models.weights_sha256()
    assert models.weights_sha256(("shares", "bones")) == {
        name: every[name] for name in ("bones", "shares")
    }
    assert models.weights_sha256(()) == {}


@pytest.mark.parametrize(("said", "threads"), [("1", 1), ("3", 3), ("", 0), ("many", 0)])
def test_threads_are_as_many_as_the_environment_says(monkeypatch, said: str, threads: int):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    opened = models.opened((files("lamella.zoo") / "bones.onnx").read_bytes())
    assert opened.get_session_options().intra_op_num_threads == threads
