"""Bodies without arches: against phantoms and against another tool's regions."""

import nibabel as nib
import numpy as np
import pytest

from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec
from lamella.prepare.spine.body import body_in, vertebral_bodies
from lamella.records.spine import VERSE_IDS, SpineLabels


def dice(ours: np.ndarray, theirs: np.ndarray) -> float:
    return 2 * float((ours & theirs).sum()) / float(ours.sum() + theirs.sum())


def scores(phantom: SpinePhantom) -> list[float]:
    bodies = vertebral_bodies(phantom.labels)
    assert not (bodies[phantom.labels.ids == 0]).any()
    return [
        dice(bodies == VERSE_IDS[level], phantom.bodies == VERSE_IDS[level])
        for level in phantom.labels.levels
    ]


def test_bodies_of_a_phantom_at_1p5_mm(spine) -> None:
    assert min(scores(spine)) >= 0.95


@pytest.mark.parametrize(
    ("levels", "spacing_mm", "fractures"),
    [
        (("T4", "T5", "T6"), (1.0, 1.0, 3.0), {}),
        (("T8", "T9", "T10"), 3.0, {"T9": FractureSpec(kind="crush", loss=0.5)}),
        (("L3", "L4", "L5"), 2.0, {"L4": FractureSpec(kind="biconcave", loss=0.5)}),
        (("L5",), 2.0, {}),
    ],
)
def test_bodies_at_any_level_spacing_and_shape(levels, spacing_mm, fractures) -> None:
    spec = SpinePhantomSpec(
        levels=levels, spacing_mm=spacing_mm, fractures=fractures, scoliosis_deg=10.0, seed=7
    )
    assert min(scores(spine_phantom(spec))) >= 0.945


def test_labels_of_bodies_alone_are_left_as_they_are(spine) -> None:
    labels = SpineLabels(ids=spine.bodies, affine=spine.labels.affine)
    bodies = vertebral_bodies(labels)
    assert (bodies == spine.bodies).mean() > 0.999
    assert min(dice(bodies == n, spine.bodies == n) for n in np.unique(bodies[bodies > 0])) > 0.995


def test_a_supplied_mask_is_used(spine) -> None:
    mask = spine.bodies > 0
    labels = SpineLabels(ids=spine.labels.ids, affine=spine.labels.affine, bodies=mask)
    bodies = vertebral_bodies(labels)
    assert (bodies > 0).sum() == mask.sum()
    assert (bodies[mask] == spine.bodies[mask]).all()


def test_islands_and_arches_without_a_body_are_none(spine) -> None:
    ids = spine.labels.ids.copy()
    arch = (ids == VERSE_IDS["T12"]) & (spine.bodies == 0)
    ids[(ids == VERSE_IDS["T12"]) & ~arch] = 0
    free = np.argwhere((ids == 0) & (spine.bodies == 0))[40]
    ids[tuple(free)] = VERSE_IDS["L2"]
    bodies = vertebral_bodies(SpineLabels(ids=ids, affine=spine.labels.affine))
    assert not (bodies == VERSE_IDS["T12"]).any()
    assert bodies[tuple(free)] == 0
    assert dice(bodies == VERSE_IDS["L2"], spine.bodies == VERSE_IDS["L2"]) > 0.95


def test_one_crop_is_enough(spine) -> None:
    number = VERSE_IDS["L1"]
    found = body_in(spine.labels.ids, number, spine.labels.affine)
    assert dice(found, spine.bodies == number) > 0.93


def test_the_atlas_has_no_body(spine) -> None:
    ids = (spine.labels.ids == VERSE_IDS["L1"]).astype(np.uint8) * VERSE_IDS["C1"]
    labels = SpineLabels(ids=ids.astype(np.uint8), affine=spine.labels.affine)
    assert not vertebral_bodies(labels).any()


def test_another_tools_corpus_is_met(lamella_data) -> None:
    folder = lamella_data / "spine" / "crop_l3_1p5mm"
    image = nib.load(folder / "vertebrae.nii.gz")
    regions = np.asanyarray(nib.load(folder / "subregions.nii.gz").dataobj)
    ids = np.asanyarray(image.dataobj).astype(np.uint8)
    bodies = vertebral_bodies(SpineLabels(ids=ids, affine=image.affine))
    for level, least in (("L3", 0.99), ("L2", 0.96), ("L4", 0.97)):
        number = VERSE_IDS[level]
        corpus = np.isin(regions, (49, 50)) & (ids == number)
        assert dice(bodies == number, corpus) > least


def test_another_tools_bodies_are_met_at_3_mm(lamella_data) -> None:
    folder = lamella_data / "spine" / "abdomen_3mm"
    image = nib.load(folder / "totalseg.nii.gz")
    theirs = np.asanyarray(nib.load(folder / "totalseg_vertebrae_body.nii.gz").dataobj) == 1
    found = np.asanyarray(image.dataobj)
    ids = np.zeros(found.shape, dtype=np.uint8)
    for number, level in ((27, "L5"), (28, "L4"), (29, "L3"), (30, "L2"), (31, "L1")):
        ids[found == number] = VERSE_IDS[level]
    bodies = vertebral_bodies(SpineLabels(ids=ids, affine=image.affine))
    for level, least in (("L1", 0.97), ("L2", 0.97), ("L3", 0.97), ("L4", 0.95), ("L5", 0.93)):
        number = VERSE_IDS[level]
        assert dice(bodies == number, theirs & (ids == number)) > least
