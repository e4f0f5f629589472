"""Arrays as a page shows them: PNG data URIs, colour maps and outlines.

Maps are stored as 8-bit codes in grey PNGs; the page colours them with the maps made here, so a
code can be read back under the cursor. Colour maps are drawn in OkLab (Ottosson 2020), where
equal steps of lightness look equal.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage

from lamella.types import Image, Mask

LONGEST_SIDE_PX = 768
ZERO_CODE = 128
CODE_STEPS = 127
OUTLINE_PAD_PX = 4
OUTLINE_KERNEL = (0.1, 0.24, 0.32, 0.24, 0.1)
OUTLINE_PASSES = 8

PageImage = Float[np.ndarray, "page_rows page_cols"]
Codes = UInt8[np.ndarray, "rows cols"]
ColourMap = UInt8[np.ndarray, "256 3"]

_OKLAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_LINEAR_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def codes(values: Image, largest: float = 1.0) -> Codes:
    """8-bit codes of a map that starts at 0: ``round(255 v / largest)``, (row, col).

    Args:
        values: (row, col), clipped to [0, largest].
        largest: value of code 255; 0 gives codes that are all 0.
    """
    if largest <= 0:
        return np.zeros(values.shape, np.uint8)
    return np.rint(255.0 * np.clip(values / largest, 0.0, 1.0)).astype(np.uint8)


def signed_codes(values: Image, largest: float) -> Codes:
    """8-bit codes of a signed map: ``128 + round(127 v / largest)``, so 0 is exactly 128.

    Args:
        values: (row, col), clipped to [-largest, largest].
        largest: magnitude of codes 1 and 255, above 0.
    """
    steps = np.rint(CODE_STEPS * np.clip(values / largest, -1.0, 1.0))
    return (ZERO_CODE + steps).astype(np.uint8)


def png_data_uri(codes: Codes) -> str:
    """An 8-bit grey image as ``data:image/png;base64,…``, without metadata."""
    buffer = io.BytesIO()
    PillowImage.fromarray(codes).save(buffer, format="PNG", compress_level=3)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def page_size(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns an image has on the page: at most 768 pixels on a side, aspect kept."""
    factor = min(1.0, LONGEST_SIDE_PX / max(shape))
    return (max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor)))


def reduced(values: Image) -> PageImage:
    """A map at the size of the page, by area averaging; unchanged when it already fits."""
    rows, cols = page_size((values.shape[0], values.shape[1]))
    if (rows, cols) == values.shape:
        return values
    image = PillowImage.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize((cols, rows), PillowImage.Resampling.BOX))


def thumbnail(values: Image, longest_px: int = 72) -> str:
    """A small picture of an image for lists, as a data URI."""
    image = PillowImage.fromarray(codes(values))
    image.thumbnail((longest_px, longest_px), PillowImage.Resampling.LANCZOS)
    return png_data_uri(np.asarray(image))


def diverging_map() -> ColourMap:
    """Green below zero, dark grey at zero, magenta above; lightness is equal at +v and -v.

    Code 128 is zero; codes 128 + k and 128 - k have opposite hues and one lightness. Code 0 is
    never written by :func:`signed_codes` and looks like code 1.
    """
    signed = np.clip((np.arange(256) - ZERO_CODE) / CODE_STEPS, -1.0, 1.0)
    size = np.abs(signed)
    hue_deg = np.where(signed < 0, 152.0, 332.0)
    return _srgb(0.27 + 0.55 * size**0.9, 0.135 * size**0.7, hue_deg)


def sequential_map() -> ColourMap:
    """From black at 0 through violet and rose to yellow, lightness rising all the way."""
    amount = np.arange(256) / 255.0
    hue_deg = 285.0 + 180.0 * amount**1.1
    return _srgb(0.13 + 0.77 * amount, 0.17 * np.minimum(1.0, 3.0 * amount) ** 0.8, hue_deg)


def css_gradient(colours: ColourMap, stops: int = 17) -> str:
    """The colour map from left to right as a CSS gradient."""
    chosen = colours[np.linspace(0, 255, stops).round().astype(int)]
    return f"linear-gradient(90deg,{','.join(_hex(colour) for colour in chosen)})"


def flat_hex(colours: ColourMap) -> str:
    """All 256 colours in one string of hexadecimal digits, six to a colour."""
    return "".join(_hex(colour)[1:] for colour in colours)


def outline_path(mask: Mask) -> str:
    """Outline of a mask as SVG path data in pixel units, smoothed over a few pixels.

    Where the mask touches the border of the image the outline runs on outside it, so that no
    line is drawn along the border. An empty mask gives an empty string.
    """
    padded = np.pad(np.pad(mask, OUTLINE_PAD_PX, mode="edge"), 1)
    loops = _boundary_loops(padded)
    offset = OUTLINE_PAD_PX + 1
    return "".join(_loop_data(_smoothed(loop)[::2] - offset) for loop in loops)


def _srgb(lightness: np.ndarray, chroma: np.ndarray, hue_deg: np.ndarray) -> ColourMap:
    hue = np.deg2rad(hue_deg)
    oklab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((oklab @ _OKLAB_TO_LMS.T) ** 3 @ _LMS_TO_LINEAR_RGB.T, 0.0, 1.0)
    curved = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return np.asarray(np.rint(255.0 * np.clip(curved, 0.0, 1.0)), np.uint8)


def _hex(colour: Sequence[int] | np.ndarray) -> str:
    return "#" + "".join(f"{int(channel):02x}" for channel in colour)


def _boundary_loops(mask: Mask) -> list[Float[np.ndarray, "points 2"]]:
    """Closed chains of pixel corners (x, y) around a mask that keeps clear of the border."""
    following = _boundary_edges(mask)
    loops = []
    while following:
        start, ends = next(iter(following.items()))
        loop, corner = [start], ends[-1]
        _take(following, start)
        while corner != start:
            loop.append(corner)
            corner = _take(following, corner)
        loops.append(np.array(loop, dtype=float))
    return loops


def _boundary_edges(mask: Mask) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Corner -> next corners, clockwise around every pixel side between inside and outside."""
    inside = mask.astype(np.int8)
    down, right = np.diff(inside, axis=0), np.diff(inside, axis=1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for edges, first, second in (
        (down == 1, (0, 1), (1, 1)),
        (down == -1, (1, 1), (0, 1)),
        (right == -1, (1, 0), (1, 1)),
        (right == 1, (1, 1), (1, 0)),
    ):
        for row, col in np.argwhere(edges).tolist():
            start = (col + first[0], row + first[1])
            following.setdefault(start, []).append((col + second[0], row + second[1]))
    return following


def _take(
    following: dict[tuple[int, int], list[tuple[int, int]]], corner: tuple[int, int]
) -> tuple[int, int]:
    ends = following[corner]
    end = ends.pop()
    if not ends:
        del following[corner]
    return end


def _smoothed(loop: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
    """The loop averaged along itself, a few pixel sides in either direction."""
    for _ in range(OUTLINE_PASSES):
        shifted = [
            weight * np.roll(loop, step, axis=0) for step, weight in enumerate(OUTLINE_KERNEL, -2)
        ]
        loop = np.sum(shifted, axis=0)
    return loop


def _loop_data(points: Float[np.ndarray, "points 2"]) -> str:
    return "M" + "L".join(f"{x:.4g} {y:.4g}" for x, y in points) + "Z"
