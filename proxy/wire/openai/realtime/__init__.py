"""Events of realtime sessions: what clients ask, what providers tell, and the ones we may have to say ourselves."""
