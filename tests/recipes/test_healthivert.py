"""The recipe of the spine's networks, end to end on a miniature cohort in VerSe's layout."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import spines
from lamella.io.verse import GRADES_FILES
from lamella.io.volume import write_volume
from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.classifier import OUTPUTS, Classifier
from lamella.methods.healthivert.critics import Critics
from lamella.methods.healthivert.networks import Drawn
from lamella.physics.virtual_fracture import FractureSpec
from lamella.recipes.healthivert import (
    CLASSIFIER,
    PARTS,
    VARIANTS,
    contest_of,
    drawing_loss,
    tiny,
    train,
)
from lamella.records import VERSE_IDS, LamellaError
from lamella.training.adversarial import compete
from lamella.training.contest import chunk_ends
from lamella.training.export import export_onnx
from lamella.training.loop import seeded
from lamella.training.spine_material import COHORT_LICENCE, SpineMaterial

FRACTURES = {"L1": FractureSpec(kind="wedge", loss=0.45)}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """Two phantoms as patients: one trains, one judges; L1 of both is fractured."""
    folder = tmp_path_factory.mktemp("verse")
    grades = {}
    for split, name, seed in (("train", "sub-verse004", 1), ("test", "sub-verse012", 2)):
        phantom = spines.spine(seed=seed, fractures=spines.Fractures(FRACTURES))
        for branch, volume, ending in (
            ("rawdata", phantom.ct, "ct"),
            ("derivatives", phantom.labels, "seg-vert_msk"),
        ):
            place = folder / f"dataset-{split}" / branch / name
            place.mkdir(parents=True)
            write_volume(volume, place / f"{name}_{ending}.nii.gz")
        grades[split] = {
            f"{name}_{VERSE_IDS[level]}": 3 if level in FRACTURES else 0
            for level in phantom.spec.levels
        }
    (folder / GRADES_FILES[0]).write_text(json.dumps(grades | {"val": {}}))
    return folder


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    card = train(cohort, out, recipe="tiny")
    assert card == out / "exact" / "coronal" / "healthivert-coronal.json"
    return out


def cards_in(out: Path) -> dict[str, Path]:
    return {path.stem.rsplit("-", 1)[1]: path for path in out.rglob("healthivert-*.json")}


def test_every_part_is_released_with_its_papers(trained, cohort):
    cards = cards_in(trained)
    assert set(cards) == set(PARTS)
    for part, path in cards.items():
        card = json.loads(path.read_text())
        assert card["licence"] == COHORT_LICENCE
        assert card["recipe"]["data"] == cohort.name
        assert (card["recipe"]["part"], card["recipe"]["variant"]) == (part, "exact")
        assert list(card["metrics"]) == ["test split of the cohort"]
        assert str(cohort.parent) not in path.read_text()


def test_only_the_two_series_of_its_splits_are_in_the_pool(trained):
    files = sorted(path.name.rsplit("-", 1)[0] for path in (trained / "pool").glob("*.npz"))
    assert files == ["sub-verse004", "sub-verse012"]


@pytest.mark.parametrize(("part", "cols"), [("sagittal", 96), ("coronal", 64)])
def test_exported_generators_draw_any_number_of_slices(trained, part, cols):
    session = onnxruntime.InferenceSession(cards_in(trained)[part].with_suffix(".onnx"))
    seen = np.random.default_rng(0).standard_normal((3, len(Channel), 160, cols))
    seen[:, Channel.PRIOR] = 0.55
    maps, heights = session.run(None, {"input": seen.astype(np.float32)})
    assert maps.shape == (3, 4, 160, cols)
    assert heights.shape == (3, 2)
    assert ((heights > 10.0) & (heights < 40.0)).all()
    alone, _ = session.run(None, {"input": seen[:1].astype(np.float32)})
    np.testing.assert_allclose(alone[0], maps[0], atol=1e-4)


def test_all_three_together_are_small(trained):
    assert sum(path.stat().st_size for path in trained.rglob("*.onnx")) < 10e6


def test_training_again_goes_on_and_changes_nothing(trained, cohort):
    before = {path: path.read_bytes() for path in trained.rglob("*.onnx")}
    train(cohort, trained, recipe="tiny", variant="exact/sagittal")
    assert {path: path.read_bytes() for path in trained.rglob("*.onnx")} == before


def test_an_interrupted_run_ends_as_an_uninterrupted_one(trained, cohort, tmp_path):
    """Two steps, then the third, against three at once: the same weights, bit by bit."""
    (tmp_path / "pool").symlink_to(trained / "pool")
    (tmp_path / "classifier").symlink_to(trained / "classifier")
    material = SpineMaterial(cohort, tmp_path / "pool", tiny(cohort).amounts)
    recipe = replace(tiny(cohort), part="sagittal")
    weights = trained / "classifier" / f"{CLASSIFIER}.onnx"
    contest = contest_of(recipe, material, weights)
    first = chunk_ends(contest)[0]
    drawn = contest.stages[0].batches

    def interrupting(rng):
        interrupting.calls += 1
        if interrupting.calls == first + 1:
            raise ConnectionError
        return drawn(rng)

    interrupting.calls = 0
    cut = replace(contest, stages=(replace(contest.stages[0], batches=interrupting),))
    with pytest.raises(ConnectionError):
        compete(cut, tmp_path / "run")
    network = compete(contest_of(recipe, material, weights), tmp_path / "run")
    whole = torch.load(trained / "exact" / "sagittal" / "last.ckpt", weights_only=True)
    for name, value in network.state_dict().items():
        assert torch.equal(value, whole["averaged"][name])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "classifier.onnx"
    export_onnx(seeded(Classifier, 0).eval(), path, 1, OUTPUTS)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("part", ["sagittal", "coronal"])
def test_every_variant_can_step(spine_material, classifier, variant, part):
    """Its loss is finite and every trainable weight that its config uses gets a gradient."""
    recipe = replace(tiny(None), variant=variant, part=part)
    contest = contest_of(recipe, spine_material, classifier)
    batch = contest.stages[0].batches(np.random.default_rng(0))
    made = contest.make(contest.generator, batch)
    loss, parts = contest.stages[0].generator_objective(made, contest.supervisor, batch)
    loss.backward()
    assert torch.isfinite(loss)
    assert float(loss.detach()) == pytest.approx(
        sum(float(each.detach()) for each in parts.values()), rel=1e-5
    )
    unused = [n for n, p in contest.generator.named_parameters() if p.grad is None]
    assert all("height" in name for name in unused)
    assert bool(unused) == (variant == "without-height")
    assert isinstance(contest.supervisor, Critics) == (variant == "as-published")
    assert ("adversary" in parts) == (variant == "as-published")
    assert ("edges" in parts) == (variant != "without-edges")


def test_the_variant_without_attention_is_shown_none(spine_material, classifier):
    batches = {
        variant: contest_of(replace(tiny(None), variant=variant), spine_material, classifier)
        .stages[0]
        .batches
        for variant in ("exact", "without-attention")
    }
    assert batches["exact"].attention is not None
    assert batches["without-attention"].attention is None


def test_critics_learn_from_what_was_made(spine_material, classifier):
    contest = contest_of(replace(tiny(None), variant="as-published"), spine_material, classifier)
    (stage,) = contest.stages
    batch = stage.batches(np.random.default_rng(0))
    loss, _ = stage.supervisor_objective(
        contest.supervisor, contest.make(contest.generator, batch), batch
    )
    loss.backward()
    assert all(p.grad is not None for p in contest.supervisor.parameters())
    assert all(p.grad is None for p in contest.generator.parameters())


def test_without_critics_the_loss_is_the_sum_of_the_terms(spine_material, classifier):
    contest = contest_of(tiny(None), spine_material, classifier)
    batch = contest.stages[0].batches(np.random.default_rng(0))
    made = contest.make(contest.generator, batch)
    assert isinstance(made.drawn, Drawn)
    _, parts = drawing_loss(made, None, batch, VARIANTS["exact"].terms)
    assert "adversary" not in parts


@pytest.mark.parametrize(
    "options",
    [{"recipe": "huge"}, {"variant": "bones"}, {"variant": "exact/axial"}],
)
def test_unknown_names_are_refused(tmp_path, options):
    with pytest.raises(LamellaError, match="expected one of"):
        train(None, tmp_path, **options)
