"""Flyball, a governor for AI spend: the reverse proxy between agents and model providers."""

__version__ = "0.1.0"
