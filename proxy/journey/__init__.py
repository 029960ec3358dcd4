"""The journey of a call, from its key to its last byte: one order, one row, one settlement."""
