"""What can be Hounsfield units, and what each other kind of value is called."""

import numpy as np
import pytest

import volumes
from lamella.io.hounsfield import refuse_not_hounsfield, spread_of
from lamella.records import LamellaError

HU = volumes.hounsfield().astype(np.float32)
MU = (HU / 1000.0 + 1.0) * 0.19


def magnitude():
    """An MR: skin bright, bone dark, background noise, never negative."""
    made = np.where(HU < -500, 20.0, np.where(HU > 150, 180.0, 520.0))
    return np.abs(made + np.random.default_rng(1).normal(0, 15, HU.shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (MU, "attenuation in 1/cm"),
        (MU / 10.0, "attenuation in 1/mm"),
        (((HU + 1000) / 1500).clip(0, 1), "scaled to 0..1"),
        (((HU + 1000) / 750 - 1).clip(-1, 1), "scaled to 0..1 or -1..1"),
        ((HU - HU.mean()) / HU.std(), "normalised by mean and deviation"),
        (np.rint((HU + 300).clip(0, 1100) / 1100 * 255), "grey values 0..255"),
        ((HU + 1024).clip(0).astype(np.uint16), "unsigned values like HU \\+ 1024"),
        (magnitude(), "as in an MR"),
        (volumes.ids(), "a label map"),
        ((volumes.ids() == 20).astype(np.uint8), "a label map"),
        (np.full(HU.shape, 7, np.int16), "one value everywhere"),
        (HU - 1024, "hardly any soft tissue around 0"),
        (HU.clip(-160, 140), "no bone above 150"),
    ],
)
def test_each_wrong_unit_is_called_by_its_name(values, match):
    with pytest.raises(LamellaError, match=match) as refusal:
        refuse_not_hounsfield(values)
    message = str(refusal.value)
    assert message.startswith("expected a CT in Hounsfield units, got ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "values",
    [
        HU,
        HU.astype(np.int16),
        np.where(HU < -900, -3024.0, HU),
        HU[6:18, 4:22, 10:50],
        HU.clip(-300, 800),
    ],
    ids=["float", "int16", "padded", "crop without air", "windowed widely"],
)
def test_cts_pass(values):
    refuse_not_hounsfield(values)


@pytest.mark.parametrize("noise_hu", [0.0, 12.0, 30.0, 60.0])
@pytest.mark.parametrize("shift", [1000, 1024])
def test_noise_below_zero_does_not_hide_a_shifted_ct(noise_hu, shift):
    noise = np.random.default_rng(5).normal(0.0, noise_hu, HU.shape)
    shifted = np.rint(HU + shift + noise).astype(np.int16)
    assert shifted.min() < 0
    with pytest.raises(LamellaError, match="unsigned values like HU"):
        refuse_not_hounsfield(shifted)
    refuse_not_hounsfield(shifted - np.int16(shift))


def test_missing_values_are_counted():
    holed = HU.copy()
    holed[3, 4, 5:8] = np.nan
    holed[0, 0, 0] = np.inf
    with pytest.raises(LamellaError, match="got 4 NaN or infinite"):
        refuse_not_hounsfield(holed)


def test_the_spread_of_a_known_volume():
    values = np.full((10, 10, 10), -1000, np.int16)
    values[:, :, 4:] = 50
    values[0, 0, 9] = 900
    spread = spread_of(values)
    assert (spread.lowest, spread.highest, spread.whole) == (-1000.0, 900.0, True)
    assert spread.low == -1000.0
    assert spread.soft_share == pytest.approx(0.599)
    assert spread.commonest == pytest.approx(50, abs=5)
    assert spread.flat_share == pytest.approx(539 / 540)


def test_real_cts_pass(lamella_data):
    import nibabel as nib

    for name in ("abdomen_3mm", "thorax_1p5mm", "crop_l3_1p5mm"):
        image = nib.load(lamella_data / "spine" / name / "ct.nii.gz")
        refuse_not_hounsfield(np.asanyarray(image.dataobj))
