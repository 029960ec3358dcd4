"""What Flyball asks providers for itself, beside its clients' calls."""
