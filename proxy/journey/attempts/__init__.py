"""The requests that one call may take: what follows one that failed, what runs beside one, and what all may cost."""
