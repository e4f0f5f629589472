"""The exact generator's stages."""

import pytest
import torch

from lamella.methods.healthivert.channels import Channel
from lamella.methods.healthivert.stages import Decoder, Encoder, ResidualCoarse, ResidualFine


@pytest.fixture(scope="module")
def seen():
    torch.manual_seed(0)
    slices = torch.randn(2, 7, 32, 48)
    slices[:, Channel.GAP] = 0.0
    slices[:, Channel.GAP, 8:24] = 1.0
    return slices


def changed(seen, channel):
    other = seen.clone()
    other[:, channel] += torch.randn(32, 48)
    return other


def test_features_come_at_half_a_quarter_and_an_eighth():
    features = Encoder(7, 8)(torch.randn(1, 7, 32, 48))
    assert [tuple(f.shape[1:]) for f in features] == [(8, 16, 24), (16, 8, 12), (24, 4, 6)]
    assert Decoder(8, guides=0, maps=3)(features, None).shape == (1, 3, 32, 48)


@pytest.mark.parametrize("guided", [True, False])
def test_the_coarse_stage_heeds_the_attention_only_when_guided(seen, guided):
    stage = ResidualCoarse(8, guided=guided).eval()
    first, second = (stage(x) for x in (seen, changed(seen, Channel.HEALTHY)))
    assert torch.equal(first.ct, second.ct) != guided
    assert torch.equal(first.logit, second.logit) != guided


def test_the_guide_is_concatenated_in_the_decoder_at_two_resolutions(seen):
    guided, plain = (ResidualCoarse(8, guided=g).decoder for g in (True, False))
    for level in ("first", "second"):
        sizes = [getattr(d, level).first.in_channels for d in (guided, plain)]
        assert sizes[0] == sizes[1] + 1
    features = Encoder(7, 8)(seen)
    moved = guided(features, 1.0 + seen[:, Channel.HEALTHY, None])
    assert not torch.allclose(moved, guided(features, seen[:, Channel.HEALTHY, None]))


def test_the_fine_stage_is_not_told_of_the_attention_but_of_the_coarse_stage(seen):
    coarse = ResidualCoarse(8).eval()(seen)
    fine = ResidualFine(8).eval()
    drawn = fine(seen, coarse)
    assert drawn.ct.shape == drawn.logit.shape == (2, 1, 32, 48)
    assert torch.equal(fine(changed(seen, Channel.HEALTHY), coarse).ct, drawn.ct)
    other = coarse._replace(logit=coarse.logit + torch.randn(2, 1, 32, 48))
    assert not torch.allclose(fine(seen, other).logit, drawn.logit)


def test_heights_are_indifferent_at_first(seen):
    assert not ResidualCoarse(8)(seen).height.any()


def test_the_coarse_stage_alone_segments_the_target_as_well(seen):
    assert ResidualCoarse(8, segments=2)(seen).logit.shape == (2, 2, 32, 48)
