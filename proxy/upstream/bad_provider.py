"""What is wrong with a provider's settings."""


class BadProvider(ValueError):
    """A provider that cannot be reached as it is described; the message says what to change."""
