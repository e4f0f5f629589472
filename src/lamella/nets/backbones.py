"""Image-to-image networks by name: any of them, or your own, serves a generator.

A backbone is made by a function ``(channels_in, channels_out) -> nn.Module`` whose network maps
(B, channels_in, H, W) to (B, channels_out, H, W) without a final activation. ``light`` is
Lamella's own for CPUs; the others are MONAI's, padded here to the multiples they need.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from lamella.nets.unet import ResidualUNet
from lamella.records import LamellaError

Backbone = Callable[[int, int], nn.Module]
"""(channels_in, channels_out) -> image-to-image network."""

LIGHT_WIDTHS = (32, 48, 64, 96)
MONAI_MULTIPLE_PX = 32
CHANNELS = (32, 64, 128, 256, 512)


class FoldedUNet(nn.Module):
    """The light residual U-Net on pixels folded into channels.

    Args:
        channels_in: of the image, whose sides are multiples of ``fold 2**(levels - 1)``.
        channels_out: of the output.
        widths: channels per level of the U-Net, finest first.
        fold: side in pixels of the squares that are folded.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        widths: Sequence[int] = LIGHT_WIDTHS,
        fold: int = 2,
    ) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(fold)
        self.unet = ResidualUNet(fold**2 * channels_in, widths)
        self.head = nn.Conv2d(widths[0], fold**2 * channels_out, 3, padding=1)
        self.unfold = nn.PixelShuffle(fold)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, channels_in, H, W) to (B, channels_out, H, W)."""
        output: Tensor = self.unfold(self.head(self.unet(self.fold(image))[-1]))
        return output


class Padded(nn.Module):
    """A network that needs sides of certain multiples, for images of any size."""

    def __init__(self, network: nn.Module, multiple_px: int = MONAI_MULTIPLE_PX) -> None:
        super().__init__()
        self.network, self.multiple_px = network, multiple_px

    def forward(self, image: Tensor) -> Tensor:
        """Repeat the border up to the next multiple, run, and crop."""
        rows, cols = image.shape[-2:]
        margins = (0, -cols % self.multiple_px, 0, -rows % self.multiple_px)
        output = self.network(pad(image, margins, mode="replicate"))
        first = output[0] if isinstance(output, list) else output
        cropped: Tensor = first[..., :rows, :cols]
        return cropped


def names() -> tuple[str, ...]:
    """Backbones that can be named."""
    return ("light", *_MONAI)


def backbone(name: str, **settings: Any) -> Backbone:
    """A backbone by name.

    Args:
        name: one of :func:`names`.
        settings: of that network (``widths``, ``fold`` for ``light``, else MONAI's own arguments).

    Raises:
        LamellaError: no backbone of that name.

    Example:
        >>> import torch
        >>> backbone("light")(3, 2)(torch.zeros(1, 3, 32, 48)).shape
        torch.Size([1, 2, 32, 48])
    """
    if name == "light":
        return partial(FoldedUNet, **settings)
    if name not in _MONAI:
        raise LamellaError(f"no backbone {name!r}, only {', '.join(names())}")
    return partial(_from_monai, name, settings)


def _from_monai(
    name: str, settings: dict[str, Any], channels_in: int, channels_out: int
) -> nn.Module:
    from monai.networks import nets

    kind, defaults = _MONAI[name]
    network = getattr(nets, kind)(
        spatial_dims=2, in_channels=channels_in, out_channels=channels_out, **(defaults | settings)
    )
    return Padded(network)


_MONAI: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("BasicUNet", {}),
    "unet++": ("BasicUNetPlusPlus", {}),
    "attention-unet": ("AttentionUnet", {"channels": CHANNELS, "strides": (2, 2, 2, 2)}),
    "swin-unetr": ("SwinUNETR", {"feature_size": 24}),
}
