"""What holds for every test: a busy machine draws examples slowly, and that is no fault of what is tested."""

from hypothesis import HealthCheck, settings

settings.register_profile("flyball", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flyball")
