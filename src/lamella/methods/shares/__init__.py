"""Separation by shares: who owns which part of the bone absorbance, exactly recomposed."""
