"""Questions a user asks: where are the bones, what does each look like alone."""
