"""The shared options are offered, in the same words, by every verb that takes joints."""

from typing import get_args, get_type_hints

import pytest

from lamella.cli.console import UsageError
from lamella.cli.joint_options import (
    MOST_WORKERS,
    LowerMask,
    PixelSpacing,
    UpperMask,
    refuse_parquet,
    refuse_spacing,
    refuse_workers,
)
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


@pytest.mark.parametrize("spacing_mm", [0.0, -0.1, float("nan"), float("inf")])
def test_a_spacing_is_a_length(spacing_mm):
    with pytest.raises(UsageError, match="expected --pixel-spacing above 0 mm per pixel"):
        refuse_spacing(spacing_mm)
    refuse_spacing(0.082)
    refuse_spacing(None)


@pytest.mark.parametrize("workers", [0, -1, MOST_WORKERS + 1])
def test_workers_are_a_few(workers):
    with pytest.raises(UsageError, match="expected --workers from 1"):
        refuse_workers(workers)
    refuse_workers(MOST_WORKERS)
    refuse_workers(None)


def test_parquet_needs_its_package(monkeypatch):
    monkeypatch.setattr("lamella.io.manifest.has_parquet", lambda: False)
    refuse_parquet(None)
    refuse_parquet(False)
    with pytest.raises(UsageError, match="--parquet needs pyarrow"):
        refuse_parquet(True)
