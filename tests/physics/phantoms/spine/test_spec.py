"""A spine phantom's spec says what is wrong with it."""

import pytest

from lamella.physics.phantoms.spine import SpinePhantomSpec
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import LamellaError


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"levels": ()}, "levels among"),
        ({"levels": ("C7", "T1")}, "levels among"),
        ({"levels": ("L1", "T12")}, "from the skull down"),
        ({"fractures": {"L5": FractureSpec()}}, "not in the phantom"),
        ({"noise_hu": -1.0}, "noise_hu: expected a value from 0"),
        ({"spacing_mm": 0.01}, "spacing of 0.2"),
        ({"orientation": "XYZ"}, "'RAS' or 'PIR'"),
    ],
)
def test_a_wrong_spec_is_refused(wrong, said):
    with pytest.raises(LamellaError, match=said):
        SpinePhantomSpec(**wrong)


def test_spacing_is_one_figure_or_three():
    assert SpinePhantomSpec(spacing_mm=2.0).spacing == (2.0, 2.0, 2.0)
    assert SpinePhantomSpec(spacing_mm=(0.5, 0.6, 3.0)).spacing == (0.5, 0.6, 3.0)
