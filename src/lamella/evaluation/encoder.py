"""The Lamella bone encoder: what a picture of a joint looks like to a network trained on joints.

Features are those at the bottom of the shipped segmentation network (``bones.onnx``, trained
on finger joints and phantoms; 96 channels at a sixteenth of the resolution), averaged over a
crop of 96 px around the joint. They stand where Inception's stand in FID and KID; networks
trained on photographs know no bone.

The segmentation network learnt to be indifferent to exposure, so crops are brought to zero
mean and unit deviation first, and these distances do not see a gain or an offset of a crop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float
from onnx import TensorProto
from scipy import ndimage

from lamella.evaluation.distances import (
    frechet_distance,
    jackknife_sd,
    kernel_distance,
    paired_kernel_distance,
)
from lamella.methods.bones.infer import normalised
from lamella.types import Image, Mask
from lamella.zoo.models import card, opened, session

NETWORK = "bones"
CROP_PX = 96
STRIDE_PX = 16
END_PX = 200
DIMENSIONS = 16

Feature = Float[np.ndarray, "channels"]
"""One crop's features, averaged over the crop or a part of it."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of one joint.

    Args:
        joint: of the joint image times the union of the masks.
        overlap: the same, averaged over the overlap only; NaN where there is none.
        upper: of the upper layer image times the upper mask.
        lower: of the lower layer image times the lower mask.
    """

    joint: Feature
    overlap: Feature
    upper: Feature
    lower: Feature


@dataclass(frozen=True, kw_only=True)
class SetDistance:
    """Distances between a set of features and a real one, each with its standard error."""

    frechet: float
    frechet_sd: float
    kernel: float
    kernel_sd: float


@dataclass(frozen=True, kw_only=True)
class FeatureSpace:
    """Coordinates in which a set of real features has mean 0 and each channel deviation 1.

    A covariance of 96 channels is singular with fewer than 97 images: Fréchet distances are
    taken in the leading principal components of the real set, all rows of a table in the same.

    Args:
        mean: of the channels, (channel,).
        sd: of the channels, (channel,).
        axes: leading components, (component, channel).
    """

    mean: Feature
    sd: Feature
    axes: Float[np.ndarray, "components channels"]

    @classmethod
    def of(cls, real: Float[np.ndarray, "images channels"]) -> "FeatureSpace":
        """The space of a set of real features: at most 16 components."""
        values = np.asarray(real, np.float64)
        spread = values.std(axis=0)
        sd = np.maximum(spread, 1e-3 * max(float(spread.max()), 1e-6))
        mean = values.mean(axis=0)
        components = np.linalg.svd((values - mean) / sd, full_matrices=False)[2]
        return cls(mean=mean, sd=sd, axes=components[: min(DIMENSIONS, len(values) - 1)])

    def standardised(
        self, features: Float[np.ndarray, "images channels"]
    ) -> Float[np.ndarray, "images channels"]:
        """Each channel in deviations of the real set."""
        return (np.asarray(features, np.float64) - self.mean) / self.sd

    def distance(
        self,
        found: Float[np.ndarray, "found channels"],
        real: Float[np.ndarray, "real channels"],
        *,
        paired: bool = False,
    ) -> SetDistance:
        """Fréchet distance in the components, kernel distance in all channels.

        Args:
            found: features of what a separator made.
            real: features of real images.
            paired: row i of both shows the same joint.
        """
        channels = [self.standardised(features) for features in (found, real)]
        components = [values @ self.axes.T for values in channels]
        kernel = paired_kernel_distance if paired else kernel_distance
        return SetDistance(
            frechet=frechet_distance(*components),
            frechet_sd=jackknife_sd(frechet_distance, *components, paired=paired),
            kernel=kernel(*channels),
            kernel_sd=jackknife_sd(kernel, *channels, paired=paired),
        )


def describe(joint: Image, layers: Sequence[Image], masks: Mapping[str, Mask]) -> Features:
    """Features of a joint image and its two layer images, everything but the bones set to 0.

    Crops are centred on the ends of the bones (:func:`articular_end`): the joint's between
    both, a layer's on its own.

    Args:
        joint: recomposed or real, (row, col).
        layers: upper and lower layer image; the joint image itself where bones lie alone.
        masks: upper and lower bone.
    """
    upper, lower = masks.values()
    ends = [articular_end(upper, lower), articular_end(lower, upper)]
    middle = (ends[0] + ends[1]) / 2.0
    pictures = [
        crop_at(joint * (upper | lower), middle),
        *[
            crop_at(layer * mask, end)
            for layer, mask, end in zip(layers, (upper, lower), ends, strict=True)
        ],
    ]
    maps = bottom_features(np.stack(pictures).astype(np.float32))
    overlap = crop_at((upper & lower).astype(np.float32), middle)
    whole = maps.mean(axis=(2, 3))
    return Features(
        joint=whole[0], overlap=_averaged(maps[0], overlap), upper=whole[1], lower=whole[2]
    )


def articular_end(mask: Mask, other: Mask) -> Float[np.ndarray, "2"]:
    """Where a bone meets the other, (row, col): the mean of its 200 pixels nearest to it.

    Distances are signed, negative inside the other bone, so the same rule finds the end of a
    bone that overlaps and of one that does not.
    """
    signed = ndimage.distance_transform_edt(~other) - ndimage.distance_transform_edt(other)
    places = np.argwhere(mask)
    nearest = np.argsort(signed[mask], kind="stable")[:END_PX]
    return np.asarray(places[nearest].mean(axis=0), np.float64)


def crop_at(image: Image, centre: Float[np.ndarray, "2"]) -> Float[np.ndarray, "96 96"]:
    """96 x 96 px around a place, moved inside the image; smaller images are filled with 0."""
    lacking = [max(0, CROP_PX - length) for length in image.shape]
    padded = np.pad(image, [(0, missing) for missing in lacking])
    window = [
        slice(first, first + CROP_PX)
        for length, at in zip(padded.shape, centre, strict=True)
        for first in [int(np.clip(round(at) - CROP_PX // 2, 0, length - CROP_PX))]
    ]
    return padded[window[0], window[1]]


def bottom_features(
    pictures: Float[np.ndarray, "images rows cols"],
) -> Float[np.ndarray, "images channels cell_rows cell_cols"]:
    """Bottom features of the segmentation network, one cell per 16 x 16 px."""
    batch = np.stack([normalised(picture) for picture in pictures])[:, None]
    return np.asarray(_bottom_session().run(None, {"input": batch})[0])


def encoder_card() -> dict[str, Any]:
    """What a table has to say of the encoder: name, weights' SHA-256, crop, dimensions."""
    return {
        "name": "Lamella bone encoder",
        "features": "bottom of the segmentation network, averaged over the crop",
        "weights_sha256": card(NETWORK)["sha256"],
        "crop_px": CROP_PX,
        "frechet_dimensions": DIMENSIONS,
    }


@lru_cache
def _bottom_session() -> onnxruntime.InferenceSession:
    """The part of the network up to its bottom: what the mean over the image is taken of."""
    session(NETWORK)  # refuses damaged weights
    model = onnx.load_from_string((files("lamella.zoo") / f"{NETWORK}.onnx").read_bytes())
    bottom = next(node.input[0] for node in model.graph.node if node.op_type == "ReduceMean")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(bottom, TensorProto.FLOAT, None))
    return opened(model.SerializeToString())


def _averaged(maps: Float[np.ndarray, "channels rows cols"], inside: np.ndarray) -> Feature:
    """Mean over cells, each weighing as many of the given pixels as it holds."""
    rows, cols = maps.shape[1:]
    weights = inside.reshape(rows, STRIDE_PX, cols, STRIDE_PX).sum(axis=(1, 3))
    if not weights.any():
        return np.full(len(maps), np.nan, np.float32)
    return np.asarray((maps * weights).sum(axis=(1, 2)) / weights.sum(), np.float32)
