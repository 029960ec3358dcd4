"""What holds for every test: a busy machine draws examples slowly, and that is no fault of what is tested."""

import functools
import importlib

from hypothesis import HealthCheck, settings

settings.register_profile("flyball", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flyball")

# Each client, so each httpx.get() too, reads all certificate authorities: 30 ms of CPU, where a call is 2 ms.
for _library in ("httpx", "httpx2"):  # the second is the SDKs'
    _clients = importlib.import_module(f"{_library}._transports.default")
    _clients.create_ssl_context = functools.cache(_clients.create_ssl_context)  # type: ignore[attr-defined]
