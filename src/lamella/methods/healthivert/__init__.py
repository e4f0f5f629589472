"""HealthiVert-GAN: a vertebra as it was before it fractured, drawn into the straight spine."""
