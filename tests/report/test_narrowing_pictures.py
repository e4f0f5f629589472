"""Pictures of the visits: laid where the motion says, residuals coloured about zero."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage

from lamella.records import RegisteredBone, Similarity
from lamella.report import images
from lamella.report.narrowing_pictures import (
    LEAST_SCALE,
    coloured,
    laid_on,
    like_baseline,
    page_size,
    payload,
    residuals,
)
from narrowings import compared


def picture(uri):
    return PillowImage.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_the_transform_takes_the_followup_back():
    motion = Similarity(
        down_px=3.0, right_px=-2.0, rotation_deg=7.0, scale=1.05, centre_px=(40.0, 60.0)
    )
    a, b, c, d, e, f = laid_on(motion, 0.5, 0.25)
    here = np.array([[12.0, 31.0]])
    row, col = motion.of_points(here)[0]
    x, y = 0.25 * (col + 0.5), 0.25 * (row + 0.5)
    assert a * x + c * y + e == pytest.approx(0.5 * (here[0, 1] + 0.5), abs=1e-3)
    assert b * x + d * y + f == pytest.approx(0.5 * (here[0, 0] + 0.5), abs=1e-3)


def test_standing_still_is_the_identity():
    assert laid_on(Similarity()) == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]


def test_brightness_is_matched_for_viewing():
    found = compared()
    bones = np.any(list(found.followup.masks.values()), axis=0)
    matched = np.percentile(like_baseline(found)[bones], (5, 95))
    first = np.any(list(found.baseline.masks.values()), axis=0)
    wanted = np.percentile(found.baseline.radiograph.pixels[first], (5, 95))
    np.testing.assert_allclose(matched, wanted, atol=0.01)


def test_a_residual_keeps_its_signs_and_its_gaps():
    values = np.full((40, 60), np.nan, np.float32)
    values[:, 10:30], values[:, 30:50] = -0.1, 0.1
    shown = np.asarray(picture(coloured(values, 0.2)).convert("RGBA"))
    table = images.diverging_map()
    assert (shown[:, :10, 3] == 0).all()
    assert (shown[:, 10:50, 3] == 255).all()
    below, above = (
        images.signed_codes(np.full((1, 1), v, np.float32), 0.2)[0, 0] for v in (-0.1, 0.1)
    )
    np.testing.assert_array_equal(shown[5, 20, :3], table[below])
    np.testing.assert_array_equal(shown[5, 40, :3], table[above])


def test_both_bones_share_one_scale():
    shown = residuals(compared())
    assert [bone["name"] for bone in shown["bones"]] == ["upper", "lower"]
    assert 0.1 < float(shown["scale"]) <= 0.2
    assert all("match 0.970" in bone["words"] for bone in shown["bones"])


def test_a_good_match_stays_dark():
    found = compared()
    small = {
        name: replace(bone, residual=None if bone.residual is None else 0.05 * bone.residual)
        for name, bone in found.bones.items()
    }
    shown = residuals(replace(found, bones=small))
    assert float(shown["scale"]) == LEAST_SCALE
    colours = np.asarray(picture(shown["bones"][0]["image"]).convert("RGBA"))
    vivid = images.diverging_map().max()
    assert colours[colours[..., 3] > 0][:, :3].max() < 0.6 * vivid


def test_a_method_without_residuals_shows_none():
    bones = {name: RegisteredBone(motion=Similarity()) for name in ("upper", "lower")}
    assert residuals(compared(bones=bones)) is None


def test_every_visit_is_stored_once_and_at_most_512_wide():
    stored = payload([compared(), None])
    assert picture(stored["baseline"]).size == (256, 256)
    assert stored["followups"][1] is None
    assert set(stored["followups"][0]["frames"]) == {"upper", "lower", "taken"}
    assert payload([None]) is None
    assert page_size((1024, 512)) == (512, 256)


def test_without_an_answer_there_is_no_ruler():
    shown = payload([compared(), compared(refused="other joint")])["followups"]
    assert [each["ruler"] for each in shown] == [True, False]
