"""From labels of a spine to straight bodies and their heights: millimetres, and a way back."""
