"""Bones registered with ITK, the standard library, as a comparator of Lamella's own method.

Needs SimpleITK, the extra ``itk``. Each bone's layer of absorbance is registered on its own:
normalised correlation (which ignores gain and offset) over the bone and a rim about it, cubic
B-spline interpolation, regular-step gradient descent from coarse to fine, from the motion that
the outlines show.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from lamella.prepare.articular import outlined_motion
from lamella.records import JointVisit, LamellaError, RegisteredBone, Similarity
from lamella.types import Image, Mask

RIM_PX = 3
SHRINKING = (4, 2, 1)
SIGMAS_PX = (2.0, 1.0, 0.5)
FIRST_STEP_PX = 1.0
LAST_STEP_PX = 1e-4
ITERATIONS = 400
FLAT = 1e-5
"""Size of the gradient that ends a level; with the steps, 0.01 px at the joint line."""

SPLINE_ORDER = 3


def register_by_itk(
    baseline: JointVisit, followup: JointVisit, magnify: bool = True
) -> Mapping[str, RegisteredBone]:
    """Register each bone's layer with ITK.

    Args:
        baseline: first visit, with layers; without them the bones are compared as the
            radiograph shows them.
        followup: second visit.
        magnify: whether bones may change size (a similarity) or not (a rigid motion).

    Returns:
        bone name -> registration; no deviation is stated.

    Raises:
        LamellaError: SimpleITK is not installed.
    """
    bones = {}
    for name in baseline.names:
        images = [bone_absorbance(visit, name) for visit in (baseline, followup)]
        rim = ndimage.binary_dilation(baseline.masks[name], iterations=RIM_PX)
        start = outlined_motion(baseline.ends[name], followup.ends[name])
        motion = _aligned(images, rim, start, magnify)
        bones[name] = RegisteredBone(motion=motion, ncc=_correlation(images, rim, motion))
    return bones


def bone_absorbance(visit: JointVisit, name: str) -> Image:
    """What is compared: the bone's own layer, or all absorbance where nothing was separated."""
    if visit.layers is not None:
        return np.asarray(visit.layers.bone_absorbance[name], np.float32)
    darkest = 1.0 - 0.5 * visit.radiograph.grey_level
    return np.asarray(-np.log1p(-np.minimum(visit.radiograph.pixels, darkest)), np.float32)


def _aligned(
    images: Sequence[np.ndarray], rim: Mask, start: Similarity, magnify: bool
) -> Similarity:
    """Motion from the first image to the second."""
    sitk = _simple_itk()
    fixed, moving = (sitk.GetImageFromArray(image) for image in images)
    method = _method(sitk)
    method.SetMetricFixedMask(sitk.GetImageFromArray(rim.astype(np.uint8)))
    transform = _transform(sitk, start, magnify)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    return _similarity(transform, start.centre_px, magnify)


def _method(sitk: Any) -> Any:
    """ITK's registration, set up; one thread, so that it repeats to the bit."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkBSpline)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=FIRST_STEP_PX,
        minStep=LAST_STEP_PX,
        numberOfIterations=ITERATIONS,
        gradientMagnitudeTolerance=FLAT,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINKING)
    method.SetSmoothingSigmasPerLevel(SIGMAS_PX)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetNumberOfThreads(1)
    return method


def _transform(sitk: Any, start: Similarity, magnify: bool) -> Any:
    """A motion as ITK writes it: (x, y) is (col, row), so angles change their sign."""
    transform = sitk.Similarity2DTransform() if magnify else sitk.Euler2DTransform()
    transform.SetCenter(start.centre_px[::-1])
    transform.SetAngle(-float(np.deg2rad(start.rotation_deg)))
    transform.SetTranslation((start.right_px, start.down_px))
    return transform


def _similarity(transform: Any, centre_px: tuple[float, float], magnify: bool) -> Similarity:
    """The way back from :func:`_transform`."""
    right, down = transform.GetTranslation()
    return Similarity(
        down_px=float(down),
        right_px=float(right),
        rotation_deg=-float(np.rad2deg(transform.GetAngle())),
        scale=float(transform.GetScale()) if magnify else 1.0,
        centre_px=centre_px,
    )


def _correlation(images: Sequence[np.ndarray], rim: Mask, motion: Similarity) -> float:
    """Normalised cross-correlation over the rim's pixels that the second image shows."""
    places = motion.of_points(np.argwhere(rim).astype(np.float64)).T
    reach = np.array(images[1].shape)[:, None] - 1
    shown = ((places >= 0) & (places <= reach)).all(axis=0)
    if shown.sum() < 2:
        return 0.0
    there = ndimage.map_coordinates(images[1], places[:, shown], order=SPLINE_ORDER)
    here = images[0][rim][shown]
    if not here.std() * there.std() > 0:
        return 0.0
    return float(np.corrcoef(here, there)[0, 1])


def _simple_itk() -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise LamellaError(
            "expected SimpleITK for registration with ITK, got none: pip install 'lamella[itk]'"
        ) from error
    sitk: Any = SimpleITK
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ``ncc`` says what they would
    return sitk
