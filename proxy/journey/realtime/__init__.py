"""Realtime sessions: a journey of its own, since what is asked comes bit by bit and both sides speak at once."""
