"""Metrics and experiments behind ``lamella evaluate``."""
