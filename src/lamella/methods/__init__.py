"""Published and own methods; each has networks, an objective and an inference of its own."""
