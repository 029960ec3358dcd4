"""The simulated provider: an OpenAI-dialect upstream with real manners and switchable faults, at no cost."""

from proxy.sim.faults import Faults
from proxy.sim.provider import SimProvider
from proxy.sim.script import Replay, Script
from proxy.sim.serving import SimProcess, SimServer
from proxy.sim.settings import SimSettings

__all__ = ["Faults", "Replay", "Script", "SimProcess", "SimProvider", "SimServer", "SimSettings"]
