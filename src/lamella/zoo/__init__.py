"""The shipped networks, and the only place that joins them to the methods by name."""
