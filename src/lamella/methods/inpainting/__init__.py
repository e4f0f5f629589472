"""Learned inpainting: gated convolutions against a patch critic (Yu et al., ICCV 2019)."""
