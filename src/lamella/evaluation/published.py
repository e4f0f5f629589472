"""Published figures of overlapping joints, recomposed against original.

Source: BLS-GAN, AAAI 2025, arXiv 2409.07304, Tables 2 and 3, on the published test list of
154 overlapping images. Lamella's development rows are part of that list; the figures stand
beside Lamella's for orientation, not as a like-for-like comparison.
"""

from dataclasses import dataclass

NOTE = "published, full test list of 154 images"


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """A mean and, where printed, its standard deviation over images."""

    mean: float
    sd: float | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of a published table, in the units of :class:`Agreement`.

    Args:
        method: as the paper names it.
        table: of the paper.
        mse: mean squared error.
        ssim: structural similarity.
        psnr_db: peak signal-to-noise ratio.
        row_fid: printed as "FID"; by its size a pixel-row FID.
    """

    method: str
    table: int
    mse: PublishedFigure
    ssim: PublishedFigure
    psnr_db: PublishedFigure
    row_fid: PublishedFigure


def _row(method: str, table: int, printed: str) -> PublishedRow:
    """A row as printed: MSE (1e-4), SSIM (1e-2), PSNR, FID (1e-2), each ``mean`` or ``mean/sd``."""
    scales = (1e-4, 1e-2, 1.0, 1e-2)
    mse, ssim, psnr, fid = (
        PublishedFigure(**dict(zip(("mean", "sd"), values, strict=False)))
        for scale, figure in zip(scales, printed.split(), strict=True)
        for values in [[float(part) * scale for part in figure.split("/")]]
    )
    return PublishedRow(method=method, table=table, mse=mse, ssim=ssim, psnr_db=psnr, row_fid=fid)


TABLE_2 = (
    _row("LaMa", 2, "5.47/16.15 97.98/3.29 37.45/4.77 8.72/33.55"),
    _row("MI-GAN", 2, "5.63/23.72 98.82/3.05 42.63/6.70 10.70/50.78"),
    _row("CMT", 2, "9.26/32.27 97.83/3.28 35.94/4.83 15.83/70.78"),
    _row("BLS-GAN", 2, "0.88/0.70 98.37/0.51 41.09/1.72 1.20/1.33"),
)
"""Comparison with inpainting networks."""

TABLE_3 = (
    _row("BLS-GAN without pre-training", 3, "1.72 96.33 38.30 2.46"),
    _row("BLS-GAN without the correction parameter", 3, "1.05 98.20 40.34 1.44"),
    _row("BLS-GAN in full", 3, "0.88 98.37 41.09 1.20"),
)
"""Ablation; no deviations are printed."""
