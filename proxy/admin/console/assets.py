"""The console's own style, script and picture, read once, served under names that change with their content."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Final

_KINDS: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the console and the media type it is sent as."""

    content: bytes
    media_type: str
    digest: str


def _load() -> Mapping[str, Asset]:
    folder = files("proxy.admin.console") / "static"
    loaded = {}
    for name, media_type in _KINDS.items():
        content = (folder / name).read_bytes()
        loaded[name] = Asset(content, media_type, sha256(content).hexdigest()[:16])
    return MappingProxyType(loaded)


ASSETS: Final = _load()


def asset_path(name: str) -> str:
    """The path of an asset under the console; a changed file gets another one, so browsers may keep it for ever."""
    return f"/static/{ASSETS[name].digest}/{name}"
