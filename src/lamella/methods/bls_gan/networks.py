"""BLS-GAN's three networks (PyTorch): generator G, supervisor D, reconstructor R.

Bones are named ``upper`` and ``lower`` everywhere; what a channel means is written once, here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lamella.nets.backbones import Backbone, backbone

SUPERVISOR_WIDTHS = (32, 48, 64)
SUPERVISOR_FOLD = 4
RECONSTRUCTOR_WIDTHS = (16, 32, 64, 96)
TYPICAL_K_LOGIT = 1.0
"""The reconstructor starts at k = sigmoid(1) = 0.73, a usual soft tissue."""


class Bones(NamedTuple):
    """One map per bone, (B, H, W) each."""

    upper: Tensor
    lower: Tensor

    def stack(self) -> Tensor:
        """(B, 2, H, W), upper bone first."""
        return torch.stack([self.upper, self.lower], dim=1)

    @property
    def both(self) -> Tensor:
        """Product of the two: the overlap, of masks."""
        return self.upper * self.lower

    @property
    def either(self) -> Tensor:
        """Larger of the two: the union, of masks."""
        return torch.maximum(self.upper, self.lower)


class Verdict(NamedTuple):
    """What the supervisor says, as logits: where each bone is, and whether it is authentic."""

    place: Bones
    authenticity: Bones


class Generator(nn.Module):
    """Layer images ``L = sigmoid(G(J, M)) M``.

    Args:
        make: backbone of G, 3 channels in (J and both masks) and 2 out.
    """

    def __init__(self, make: Backbone | None = None) -> None:
        super().__init__()
        self.backbone = (make or backbone("light"))(3, 2)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, 3, H, W): joint image, upper mask, lower mask -> layers (B, 2, H, W)."""
        return torch.sigmoid(self.backbone(seen)) * seen[:, 1:]


class Reconstructor(nn.Module):
    """A VGG-like regressor of k, the transmittance of the soft tissue, from the joint image.

    Args:
        widths: channels per level; two convolutions and a maximum over 2 x 2 each.
    """

    def __init__(self, widths: Sequence[int] = RECONSTRUCTOR_WIDTHS) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        channels = 4
        for width in widths:
            layers += [
                nn.Conv2d(channels, width, 3, padding=1),
                nn.SiLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
                nn.SiLU(inplace=True),
                nn.MaxPool2d(2),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.regressor = nn.Linear(channels, 1)
        nn.init.zeros_(self.regressor.weight)
        nn.init.constant_(self.regressor.bias, TYPICAL_K_LOGIT)

    def forward(self, joint: Tensor) -> Tensor:
        """(B, 1, H, W) -> k in (0, 1), (B,)."""
        pooled = self.features(joint).mean(dim=(2, 3))
        k: Tensor = torch.sigmoid(self.regressor(pooled)).squeeze(1)
        return k


class BlsGan(nn.Module):
    """Generator and reconstructor together: all that separating a joint needs.

    Args:
        make: backbone of the generator.
        with_k: predict k; without, k = 1 (the paper's ablation "without correction parameter").
    """

    def __init__(self, make: Backbone | None = None, *, with_k: bool = True) -> None:
        super().__init__()
        self.generator = Generator(make)
        self.reconstructor = Reconstructor() if with_k else None

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W): J, upper mask, lower mask -> layers (B, 2, H, W), k (B,)."""
        layers = self.generator(seen)
        if self.reconstructor is None:
            return layers, torch.ones_like(seen[:, 0, 0, 0])
        return layers, self.reconstructor(seen[:, :1])


class Supervisor(nn.Module):
    """The segmentation-based multi-channel supervisor D.

    Args:
        make: its backbone, 2 channels in and 4 out.
    """

    def __init__(self, make: Backbone | None = None) -> None:
        super().__init__()
        self.backbone = (make or backbone("light", widths=SUPERVISOR_WIDTHS, fold=SUPERVISOR_FOLD))(
            2, 4
        )

    def forward(self, layers: Tensor) -> Verdict:
        """Layer images (B, 2, H, W) -> logits of place and authenticity."""
        logits = self.backbone(layers).float()
        return Verdict(
            place=Bones(logits[:, 0], logits[:, 1]), authenticity=Bones(logits[:, 2], logits[:, 3])
        )
