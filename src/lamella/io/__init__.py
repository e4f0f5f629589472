"""Where Lamella meets files: radiographs and masks in, lossless results out."""

from lamella.io.read import read, read_mask

__all__ = ["read", "read_mask"]
