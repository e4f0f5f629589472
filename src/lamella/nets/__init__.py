"""Network building blocks in PyTorch; no anatomy in here."""
