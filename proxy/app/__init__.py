"""The composition root: the only place that sees all rooms, and plugs one into another. One file per process."""
