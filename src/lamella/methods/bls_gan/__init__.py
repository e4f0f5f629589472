"""BLS-GAN as published (AAAI 2025, arXiv 2409.07304): generator, supervisor, reconstructor."""
