"""The shared options are offered, in the same words, by every verb that takes joints."""

from typing import get_args, get_type_hints

import pytest

from lamella.cli.joint_options import LowerMask, PixelSpacing, UpperMask
from lamella.cli.measure import MeasureOptions
from lamella.cli.separate import SeparateOptions
from lamella.cli.synthesize import SynthesizeOptions


@pytest.mark.parametrize("options", [SeparateOptions, SynthesizeOptions, MeasureOptions])
def test_every_verb_offers_them(options):
    hints = get_type_hints(options, include_extras=True)
    wanted = {"upper": UpperMask, "lower": LowerMask, "pixel_spacing_mm": PixelSpacing}
    assert {name: hints[name] for name in wanted} == wanted


def test_each_says_what_it_is_for():
    for option, word in ((UpperMask, "upper"), (LowerMask, "lower"), (PixelSpacing, "mm")):
        _, parameter = get_args(option)
        assert word in parameter.help
