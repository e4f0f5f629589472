"""Positions, not thickness, give the grid; tilt, gaps and copies are refused."""

from dataclasses import replace

import numpy as np
import pytest

import volumes
from lamella.io.dicom_stack import facts_of, stack_of
from lamella.records import LamellaError

TILT_RAD = np.radians(12.0)


def facts(**changes):
    made = [facts_of(dataset) for dataset in volumes.series()[:12]]
    return [replace(each, **changes) for each in made]


def at(each, shift_mm):
    return replace(each, position_mm=tuple(np.add(each.position_mm, shift_mm)))


def test_positions_give_the_spacing_and_thickness_does_not():
    stack = stack_of(facts())
    np.testing.assert_allclose(stack.affine, volumes.affine(), atol=1e-9)
    assert stack.order == tuple(range(12))
    assert volumes.series()[0].SliceThickness == 5.0


def test_any_order_of_files_gives_one_grid():
    places = np.random.default_rng(2).permutation(12)
    stack = stack_of([facts()[place] for place in places])
    assert [places[index] for index in stack.order] == list(range(12))
    np.testing.assert_allclose(stack.affine, volumes.affine(), atol=1e-9)


def test_oblique_sagittal_slices_form_a_right_handed_grid():
    along, down = (
        np.array([0.0, np.cos(0.1), np.sin(0.1)]),
        np.array([0.0, np.sin(0.1), -np.cos(0.1)]),
    )
    normal = np.cross(along, down)
    made = [
        replace(
            each,
            orientation=(*along, *down),
            position_mm=tuple(1.5 * place * normal),
            spacing_mm=(0.8, 0.6),
        )
        for place, each in enumerate(facts())
    ]
    stack = stack_of(made[::-1])
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stack.affine
    np.testing.assert_allclose(lps[:3, 0], 0.6 * along, atol=1e-12)
    np.testing.assert_allclose(lps[:3, 1], 0.8 * down, atol=1e-12)
    np.testing.assert_allclose(lps[:3, 2], 1.5 * normal, atol=1e-12)
    assert np.linalg.det(lps[:3, :3]) > 0


def test_a_tilted_gantry_is_refused_with_its_angle():
    tilted = (1.0, 0.0, 0.0, 0.0, np.cos(TILT_RAD), -np.sin(TILT_RAD))
    with pytest.raises(LamellaError, match=r"got 12\.0 degrees of gantry tilt"):
        stack_of(facts(orientation=tilted))


def test_missing_slices_are_counted():
    made = facts()
    with pytest.raises(LamellaError, match=r"steps of 2 to 6 mm, 2 missing"):
        stack_of(made[:5] + made[7:])


def test_two_slices_in_one_place_are_refused():
    made = facts()
    with pytest.raises(LamellaError, match="2 or more in one place"):
        stack_of([*made, replace(made[4], instance="2.25.9")])


def test_steps_that_change_are_refused_and_rounding_is_not():
    made = facts()
    wider = [at(each, (0, 0, 0.4 * max(0, place - 6))) for place, each in enumerate(made)]
    with pytest.raises(LamellaError, match=r"steps of 2 to 2\.4 mm"):
        stack_of(wider)
    rounded = [at(each, (0, 0, 0.02 * (-1) ** place)) for place, each in enumerate(made)]
    assert stack_of(rounded).affine[2, 2] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"spacing_mm": (0.5, 0.5)}, "got a mixture"),
        ({"shape": (12, 12)}, "got a mixture"),
        ({"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)}, "got a mixture"),
        ({"position_mm": ()}, "got a slice without"),
        ({"spacing_mm": ()}, "got a slice without"),
        ({"frames": 40}, "several frames in one"),
    ],
)
def test_one_slice_that_differs_is_enough_to_refuse(change, match):
    made = facts()
    made[5] = replace(made[5], **change)
    with pytest.raises(LamellaError, match=match):
        stack_of(made)


def test_one_slice_and_damaged_directions_are_refused():
    with pytest.raises(LamellaError, match="got one slice"):
        stack_of(facts()[:1])
    with pytest.raises(LamellaError, match="orientation in the header is damaged"):
        stack_of(facts(orientation=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0)))


def test_what_has_no_pixels_is_no_slice():
    dataset = volumes.series()[0]
    del dataset.PixelData
    assert facts_of(dataset) is None


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("gantrytilting/001", r"14\.0 degrees of gantry tilt"),
        ("notavolume/001", "in one place"),
        ("sliceincrement/001", "1 missing"),
        ("sliceincrement/002", "gantry tilt"),
    ],
)
def test_series_that_form_no_grid(lamella_data, name, match):
    import pydicom

    files = sorted((lamella_data / "dicom" / "series_to_refuse" / name).iterdir())
    with pytest.raises(LamellaError, match=match):
        stack_of([facts_of(pydicom.dcmread(path)) for path in files])
