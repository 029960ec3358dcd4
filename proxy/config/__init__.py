"""The configuration: flyball.yaml and FLYBALL_<PART>__<KEY>, checked whole, every error at once with its place."""

from proxy.config.load import BadConfig, Config, home_of, load_config
from proxy.config.schema import FileSettings, ServerSettings

__all__ = ["BadConfig", "Config", "FileSettings", "ServerSettings", "home_of", "load_config"]
