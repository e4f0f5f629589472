"""A trained network becomes a file and a model card that describe each other."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lamella.records import LamellaError
from lamella.training.loop import Schedule
from lamella.training.publish import Release, add_metrics, keep_recipe, plain, release

ABOUT = Release(
    name="edges",
    purpose="shows where edges are",
    recipe={"widths": [2], "data": "mcp/train.json"},
    outputs=("edges",),
    channels=1,
    held_out={"dice": 0.5},
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    data: Path
    widths: tuple[int, ...] = (8, 16)
    schedule: Schedule = Schedule(steps=3)  # noqa: RUF009 - frozen


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    network = nn.Conv2d(1, 2, 3, padding=1)
    return network, release(network, tmp_path_factory.mktemp("release"), ABOUT)


def test_the_card_describes_the_file_beside_it(released):
    network, path = released
    card = json.loads(path.read_text())
    weights = path.with_suffix(".onnx").read_bytes()
    assert path.name == "edges.json"
    assert card["sha256"] == hashlib.sha256(weights).hexdigest()
    assert card["parameters"] == 2 * 9 + 2 == sum(part.numel() for part in network.parameters())
    assert card["trained_with"]["torch"] == torch.__version__


def test_the_card_says_what_was_given(released):
    _, path = released
    card = json.loads(path.read_text())
    for name in ("name", "purpose", "recipe"):
        assert card[name] == getattr(ABOUT, name)
    assert card["outputs"] == ["edges"]
    assert list(card["metrics"].values()) == [{"dice": 0.5}]


def test_the_card_names_the_licence_and_that_it_is_for_research(released):
    card = json.loads(released[1].read_text())
    assert "no licence is stated" in card["licence"]
    assert "research use only" in card["licence"]


def test_extra_entries_enter_the_card(tmp_path):
    about = replace(ABOUT, extra={"calibration": {"factors": [[2.0]]}})
    card = json.loads(release(nn.Conv2d(1, 2, 3), tmp_path, about).read_text())
    assert card["calibration"] == {"factors": [[2.0]]}


def test_a_second_release_replaces_the_first(tmp_path):
    cards = [json.loads(release(nn.Conv2d(1, 2, 3), tmp_path, ABOUT).read_text()) for _ in range(2)]
    assert cards[0]["sha256"] != cards[1]["sha256"]
    weights = (tmp_path / "edges.onnx").read_bytes()
    assert cards[1]["sha256"] == hashlib.sha256(weights).hexdigest()


def test_a_recipe_becomes_plain_values_that_name_the_data_and_not_its_place():
    entries = plain(Recipe(data=Path("/home/somebody/secret/mcp")))
    assert entries["data"] == "mcp/train.json"
    assert "somebody" not in json.dumps(entries)
    assert entries["schedule"]["steps"] == 3
    assert json.loads(json.dumps(entries))["widths"] == [8, 16]


def test_further_metrics_are_added_to_a_card(tmp_path):
    card = tmp_path / "card.json"
    card.write_text('{"name": "bones", "metrics": {"held out": {"dice": 0.9}}}', encoding="utf-8")
    add_metrics(card, "dev.json", {"dice": 0.8})
    metrics = json.loads(card.read_text(encoding="utf-8"))["metrics"]
    assert metrics == {"held out": {"dice": 0.9}, "dev.json": {"dice": 0.8}}


def test_a_folder_keeps_its_recipe_and_refuses_another(tmp_path):
    keep_recipe({"steps": 5, "widths": (8, 16)}, tmp_path)
    keep_recipe({"steps": 5, "widths": (8, 16)}, tmp_path)
    before = (tmp_path / "recipe.json").read_bytes()
    with pytest.raises(LamellaError, match="holds a run of another recipe"):
        keep_recipe({"steps": 6, "widths": (8, 16)}, tmp_path)
    assert (tmp_path / "recipe.json").read_bytes() == before


def test_another_licence_and_other_judges_can_be_named(tmp_path):
    about = replace(ABOUT, licence="phantoms only", judged_on="held-out phantoms")
    card = json.loads(release(nn.Conv2d(1, 2, 3, padding=1), tmp_path, about).read_text())
    assert card["licence"] == "phantoms only"
    assert card["metrics"] == {"held-out phantoms": {"dice": 0.5}}


def test_data_can_be_called_by_another_name(tmp_path):
    assert plain(Recipe(data=tmp_path / "mcp"))["data"] == "mcp/train.json"
    assert plain(Recipe(data=tmp_path / "mcp"), "phantoms")["data"] == "phantoms"
