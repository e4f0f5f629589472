"""Where Lamella meets files: radiographs, masks and volumes in, lossless results out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lamella.io.read import read, read_mask

if TYPE_CHECKING:
    from lamella.io.volume import read_ct as read_ct
    from lamella.io.volume import read_labels as read_labels
    from lamella.io.volume import write_volume as write_volume

_OF_VOLUMES = ("read_ct", "read_labels", "write_volume")

__all__ = ["read", "read_ct", "read_labels", "read_mask", "write_volume"]


def __getattr__(name: str) -> Any:
    """Import the readers of volumes when first asked for: radiographs need none of their parts."""
    if name not in _OF_VOLUMES:
        raise AttributeError(f"module 'lamella.io' has no attribute {name!r}")
    return getattr(import_module("lamella.io.volume"), name)
