"""PNG, JPEG, BMP and TIFF, 8 and 16 bit, grey or grey stored as colour.

Resolution tags (DPI) are not trusted: they describe a print, not a patient. A raster says
nothing about its polarity either, so an image with a bright border gets a warning, no more.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from lamella.io.boundary import quiet_native_code, refuse_dimensions
from lamella.io.tiff import deep_tiff_samples, is_tiff
from lamella.records import UNKNOWN_FLOAT_GREY_LEVEL, LamellaError, Radiograph
from lamella.types import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EXIF_ORIENTATION = 274
FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
GREY_TOLERANCE = 2.0 / 255.0
COLOURED_MARK = 32.0 / 255.0
COLOURED_FRACTION = 0.02
BRIGHT_BORDER = 0.08
SATURATED_FRACTION = 0.01


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Decoded but not yet interpreted samples of one image.

    Args:
        values: (row, col) or (row, col, channel), as stored.
        bits: significant bits when the file states them for its whole range, else None.
        alpha: (row, col) opacity as stored, or None.
        low_is_bright: True when value 0 means white.
        warnings: what was noticed while decoding.
    """

    values: NDArray[Any]
    bits: int | None = None
    alpha: NDArray[Any] | None = None
    low_is_bright: bool = False
    warnings: tuple[str, ...] = ()


def read_raster(data: bytes, source: str, spacing_mm: float | None) -> Radiograph:
    """One radiograph from the bytes of a raster file.

    Args:
        data: the whole file.
        source: name to record, safe to print.
        spacing_mm: pixel spacing the user gave, in mm, or None.

    Raises:
        LamellaError: not an image, truncated, several pages, colour, transparent, a range that
            cannot be read as intensity, or anything :class:`Radiograph` refuses.
    """
    samples = decode_raster(data)
    _refuse_transparency(samples.alpha)
    grey, colour_warnings = grey_of(samples.values)
    pixels, grey_level, scale_warnings = _intensity(grey, samples)
    radiograph_warnings = (*samples.warnings, *colour_warnings, *scale_warnings)
    return Radiograph(
        pixels=pixels,
        pixel_spacing_mm=spacing_mm,
        grey_level=grey_level,
        source=source,
        warnings=(*radiograph_warnings, *appearance_warnings(pixels, grey_level)),
    )


def decode_raster(data: bytes) -> Samples:
    """Samples of a raster file; its dimensions are checked before decoding.

    Raises:
        LamellaError: not one of ``FORMATS``, hostile dimensions, several pages, or truncated.
    """
    try:
        deep = deep_tiff_samples(data) if is_tiff(data) else None
        if deep is not None:
            return Samples(values=deep.values, alpha=deep.alpha, low_is_bright=deep.low_is_bright)
        with quiet_native_code():
            return _decode_pillow(data)
    except LamellaError:
        raise
    except UnidentifiedImageError:
        raise LamellaError(
            "expected a PNG, JPEG, BMP, TIFF or DICOM image, got something else or a cut file: "
            "export it as PNG"
        ) from None
    except PillowImage.DecompressionBombError:
        raise LamellaError(
            "the header claims more pixels than any radiograph has: crop or export it again"
        ) from None
    except Exception:  # noqa: BLE001 -- decoders fail on damaged files with any exception
        raise LamellaError("the file is truncated or damaged: copy or export it again") from None


def grey_of(values: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The one grey channel of ``values``, (row, col), and warnings.

    Channels count as equal when they differ by at most ``GREY_TOLERANCE`` of the range on
    average, which covers the ripple of colour JPEG, and when at most ``COLOURED_FRACTION`` of
    the pixels are plainly coloured, which covers an arrow or a label.

    Raises:
        LamellaError: a colour photograph.
    """
    if values.ndim == 2:
        return values, ()
    channels = [values[..., index] for index in range(values.shape[2])]
    low, high = np.minimum.reduce(channels), np.maximum.reduce(channels)
    spread = high - low
    if not spread.any():
        return channels[0], ()
    top = float(high.max())
    full = 1.0 if values.dtype.kind == "f" else next((s for s in FULL_SCALES if top <= s), top)
    marks = float((spread > COLOURED_MARK * full).mean())
    if float(spread.mean()) > GREY_TOLERANCE * full or marks > COLOURED_FRACTION:
        raise LamellaError("expected a grey radiograph, got a colour photograph: export it as grey")
    mean = np.asarray(np.mean(values, axis=2, dtype=np.float32))
    if marks == 0.0:
        return mean, ()
    return mean, ("coloured marks lie over the radiograph: their pixels are not X-ray values",)


def appearance_warnings(pixels: Image, grey_level: float) -> tuple[str, ...]:
    """Warnings a look at the pixels gives: bright border, saturation, two levels only.

    The border is the outer twentieth, the centre the middle half on each axis.

    Args:
        pixels: intensity in [0, 1], (row, col).
        grey_level: step between neighbouring grey levels.
    """
    rows, cols = pixels.shape
    if min(rows, cols) < 8 or not np.isfinite(pixels).all():
        return ()
    warnings = []
    if _border_median(pixels) - _centre_median(pixels) > BRIGHT_BORDER:
        warnings.append(
            "the border is brighter than the centre: if bone is dark here, invert the image "
            "(1 - pixels) and read it again; if a collimator shows, crop it"
        )
    saturated = float((pixels > 1.0 - 0.5 * grey_level).mean())
    if saturated > SATURATED_FRACTION:
        warnings.append(f"{saturated:.1%} of the pixels are saturated: their absorbance is unknown")
    if _has_two_levels(pixels):
        warnings.append("the image has only two grey levels: it may be a mask, not a radiograph")
    return tuple(warnings)


def _border_median(pixels: Image) -> float:
    width = max(1, round(0.05 * min(pixels.shape)))
    middle = pixels[width:-width]
    edges = (pixels[:width], pixels[-width:], middle[:, :width], middle[:, -width:])
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))


def _centre_median(pixels: Image) -> float:
    rows, cols = pixels.shape
    return float(np.median(pixels[rows // 4 : rows - rows // 4, cols // 4 : cols - cols // 4]))


def _has_two_levels(pixels: Image) -> bool:
    low, high = pixels.min(), pixels.max()
    return bool(high > low and ((pixels == low) | (pixels == high)).all())


def _decode_pillow(data: bytes) -> Samples:
    with PillowImage.open(io.BytesIO(data), formats=FORMATS) as image:
        refuse_dimensions(image.height, image.width)
        if getattr(image, "n_frames", 1) > 1:
            raise LamellaError("expected one image, got several pages: save one page alone")
        warnings = _orientation_warning(image)
        bits = _png_significant_bits(data)
        if _is_png_of(data, depth=16, colour=2):
            return Samples(values=_png_colour_16(data), bits=bits or 16, warnings=warnings)
        if _is_png_of(data, depth=16, colour=4) or _is_png_of(data, depth=16, colour=6):
            warnings = (*warnings, "a 16-bit file with transparency was read at 8 bits")
            bits = None
        values, alpha = _arrays(image)
    return Samples(values=values, bits=bits, alpha=alpha, warnings=warnings)


def _arrays(image: PillowImage.Image) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples and opacity of an opened image, whatever its mode."""
    if image.mode in ("L", "F", "I") or image.mode.startswith("I;16"):
        values = np.array(image)
        return values.astype(values.dtype.newbyteorder("=")), None
    if image.mode == "1":
        return np.array(image.convert("L")), None
    if image.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa"):
        full = np.array(image.convert("RGBA"))
        return full[..., :3], full[..., 3]
    return np.array(image.convert("RGB")), None


def _orientation_warning(image: PillowImage.Image) -> tuple[str, ...]:
    if image.getexif().get(EXIF_ORIENTATION, 1) in (0, 1):
        return ()
    return ("the file's orientation tag is ignored: rows and columns are as stored",)


def _is_png_of(data: bytes, depth: int, colour: int) -> bool:
    return data[:8] == PNG_SIGNATURE and data[24:26] == bytes((depth, colour))


def _png_significant_bits(data: bytes) -> int | None:
    """Significant bits the sBIT chunk of a 16-bit PNG states (its range is then the full one)."""
    start = 8 if data[:8] == PNG_SIGNATURE and data[24:25] == b"\x10" else len(data)
    while start + 9 <= len(data):
        length, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        if kind == b"sBIT":
            return data[start + 8] if 1 <= data[start + 8] <= 16 else None
        if kind in (b"IDAT", b"IEND"):
            return None
        start += length + 12
    return None


def _png_colour_16(data: bytes) -> NDArray[Any]:
    """16-bit colour samples: Pillow unpacks one byte of each sample, so both are read in turn."""
    halves = []
    for layout in ("RGB;16B", "RGB;16L"):
        with PillowImage.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.tile = [_with_layout(tile, layout) for tile in image.tile]
            halves.append(np.array(image, dtype=np.uint16))
    return halves[0] * np.uint16(256) + halves[1]


def _with_layout(tile: Any, layout: str) -> Any:
    """The same tile of an opened image (a plain or a named tuple), unpacked another way."""
    parts = (*tile[:3], layout)
    return tile._make(parts) if hasattr(tile, "_make") else parts


def _refuse_transparency(alpha: NDArray[Any] | None) -> None:
    if alpha is not None and alpha.min() != alpha.max():
        raise LamellaError("the image has transparent pixels: flatten it and save it as grey")


def _intensity(grey: NDArray[Any], samples: Samples) -> tuple[Image, float, tuple[str, ...]]:
    """Intensity in [0, 1], grey level and warnings of one grey channel."""
    if samples.values.dtype.kind == "f":
        pixels, grey_level = _float_intensity(grey), UNKNOWN_FLOAT_GREY_LEVEL
        return (1.0 - pixels if samples.low_is_bright else pixels), grey_level, ()
    full, warnings = _full_scale(samples)
    pixels = np.divide(grey, full, dtype=np.float64).astype(np.float32)
    grey_level = 1.0 / (2**samples.bits - 1 if samples.bits else full)
    return (1.0 - pixels if samples.low_is_bright else pixels), grey_level, warnings


def _float_intensity(grey: NDArray[Any]) -> Image:
    values = np.asarray(grey, dtype=np.float64)
    if not np.isfinite(values).all():
        raise LamellaError("the image holds NaN or infinite values: fill or crop them first")
    low, high = float(values.min()), float(values.max())
    if low < 0.0 or high > 1.0:
        raise LamellaError(
            f"expected floating-point intensity in [0, 1], got {low:.4g} to {high:.4g}: "
            "rescale it or save 16-bit grey"
        )
    return values.astype(np.float32)


def _full_scale(samples: Samples) -> tuple[int, tuple[str, ...]]:
    """The value that means white, and a warning when the file leaves it to be guessed.

    8 bit: 255. 16 bit with stated significant bits: 65535. Otherwise the smallest of
    ``FULL_SCALES`` that no sample exceeds, because detectors of 10 to 14 bits are often saved
    in 16.
    """
    values = samples.values
    if values.dtype == np.uint8:
        return FULL_SCALES[0], ()
    if samples.bits is not None:
        return FULL_SCALES[-1], ()
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > FULL_SCALES[-1]:
        raise LamellaError(f"expected values in 0..65535, got {low}..{high}: save 16-bit grey")
    full = next(scale for scale in FULL_SCALES if high <= scale)
    if full == FULL_SCALES[-1]:
        return full, ()
    return full, (f"the values reach {high} of 65535: read as {full.bit_length()} bit",)
