"""What the spine's recipes share: their configuration as it is written down."""

from dataclasses import replace

from lamella.recipes.healthivert import cpu, full, tiny
from lamella.recipes.spine_parts import SpineRecipe
from lamella.training.publish import keep_recipe, plain
from lamella.training.spine_material import SpineAmounts


def test_a_recipe_without_data_can_be_written_down(tmp_path):
    told = plain(tiny(None), "phantoms")
    assert told["data"] == "phantoms"
    assert told["amounts"]["chance"]["spacing_mm"] == (2.5, 3.0)
    keep_recipe(told, tmp_path)
    keep_recipe(told, tmp_path)


def test_sizes_are_in_order():
    small, usual, large = tiny(None), cpu(None), full(None)
    for of in (
        lambda recipe: recipe.generator_steps * recipe.batch,
        lambda recipe: recipe.classifier_steps * recipe.classifier_batch,
        lambda recipe: recipe.amounts.phantoms,
    ):
        assert of(small) < of(usual) < of(large)


def test_processes_that_make_crops_are_no_part_of_what_is_made():
    recipe = SpineRecipe(data=None)
    other = replace(recipe, amounts=SpineAmounts(processes=9))
    assert replace(other, amounts=recipe.amounts) == recipe
