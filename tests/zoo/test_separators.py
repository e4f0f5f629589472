"""Every separator that ships: layers of the right kind, with a name that tells the weights."""

import numpy as np
import pytest

import joints
import laws
from lamella.zoo import models
from lamella.zoo.separators import separators

EXACT = ("exact", "lsn")


@pytest.fixture(scope="module")
def made():
    phantom = joints.phantom(seed=1)
    radiograph = joints.radiograph_of(phantom)
    return {name: apart(radiograph, phantom.masks) for name, apart in separators().items()}


@pytest.mark.parametrize("name", EXACT)
def test_exact_separators_obey_the_laws(made, name):
    laws.recomposes(made[name])
    laws.is_physical(made[name])
    laws.lone_bones_keep_all(made[name])


def test_published_separators_recompose_nearly_and_not_exactly(made):
    for name in set(made) - set(EXACT):
        inside = made[name].masks["upper"] | made[name].masks["lower"]
        error = np.abs(made[name].residual())[inside]
        assert 1e-3 < error.mean() < 0.15


def test_a_separation_names_its_weights(made):
    for layers in made.values():
        network, digest = layers.method.split(" ")
        assert models.card(network)["sha256"].startswith(digest)
        assert len(digest) == 12


def test_separators_do_not_agree_in_the_overlap(made):
    overlap = made["exact"].masks.overlap
    images = [layers.bone_image("upper")[overlap] for layers in made.values()]
    for number, image in enumerate(images):
        assert all(np.abs(image - other).mean() > 1e-4 for other in images[:number])


def test_the_soft_tissue_of_lsn_differs_under_the_bones_alone(made):
    difference = np.abs(made["lsn"].soft_absorbance - made["exact"].soft_absorbance)
    masks = made["exact"].masks
    lone = (masks["upper"] ^ masks["lower"]) & ~laws.within(masks.overlap, 20)
    assert difference[lone].mean() > 1e-4
    beside = ~laws.within(masks["upper"] | masks["lower"], 8)
    assert difference[beside].max() < 1e-6
