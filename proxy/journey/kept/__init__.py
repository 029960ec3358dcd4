"""Calls that name what a provider keeps, or paths that nobody here knows: governed, and carried as they are.

`carry` is their journey, beside the one of `pipeline.py`.
"""
