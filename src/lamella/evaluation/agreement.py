"""How well a recomposed joint agrees with the joint: the columns of BLS-GAN's Table 2.

As in the paper (arXiv 2409.07304) both images are multiplied by the union of the masks and
compared as a whole, so the zeros outside the bones count, and flatter, in every figure. The
figures inside the overlap are free of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from lamella.evaluation.distances import pixel_row_fid
from lamella.evaluation.fidelity import psnr_db
from lamella.types import Image, Mask

PSNR_CAP_DB = 120.0
"""Of a mean squared error of 1e-12 or less: rounding, no difference."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Figures of one image.

    Args:
        mse: mean squared error of intensity.
        ssim: structural similarity (Wang 2004; uniform window of 7 px, range 1).
        psnr_db: ``-10 log10 mse``, at most 120.
        row_fid: pixel-row FID (:func:`lamella.evaluation.distances.pixel_row_fid`).
    """

    mse: float
    ssim: float
    psnr_db: float
    row_fid: float


@dataclass(frozen=True, kw_only=True)
class JointAgreement:
    """One image over the bones as a whole, the zeros around them included, and in the overlap."""

    whole: Agreement
    overlap: Agreement


def agreement(recomposed: Image, joint: Image, masks: Mapping[str, Mask]) -> JointAgreement:
    """Compare R with J.

    * whole: ``R M_union`` against ``J M_union`` over all pixels of the image.
    * overlap: squared errors and the similarity map of the same images averaged over the
      pixels in both masks; pixel-row FID of ``R M_overlap`` against ``J M_overlap``.

    Args:
        recomposed: R, (row, col).
        joint: J, (row, col).
        masks: two, which overlap.
    """
    stack = np.stack(list(masks.values()))
    union, overlap = stack.any(axis=0), stack.all(axis=0)
    pair = [np.asarray(image, np.float64) * union for image in (recomposed, joint)]
    squares = np.square(pair[0] - pair[1])
    similarity, similarity_map = structural_similarity(*pair, data_range=1.0, full=True)
    return JointAgreement(
        whole=_figures(float(squares.mean()), float(similarity), pixel_row_fid(*pair)),
        overlap=_figures(
            float(squares[overlap].mean()),
            float(similarity_map[overlap].mean()),
            pixel_row_fid(pair[0] * overlap, pair[1] * overlap),
        ),
    )


def _figures(mse: float, ssim: float, row_fid: float) -> Agreement:
    return Agreement(mse=mse, ssim=ssim, psnr_db=psnr_db(mse), row_fid=row_fid)
