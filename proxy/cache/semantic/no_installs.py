"""gptcache without its habit of installing packages while it runs."""

import sys
import types
from typing import Final, NoReturn

_INSTALLER: Final = "gptcache.utils.dependency_control"


class BackendMissing(Exception):
    """A backend of gptcache needs a package that is not installed."""


def forbid_installs() -> None:
    """Have gptcache say what is missing instead of running pip; to be called before anything of gptcache is imported.

    Raises:
        BackendMissing: gptcache itself is not installed.
    """
    installer = sys.modules.get(_INSTALLER)
    if installer is None:
        installer = types.ModuleType(_INSTALLER)
        sys.modules[_INSTALLER] = installer
    installer.prompt_install = _refuse  # type: ignore[attr-defined]
    try:
        import gptcache.utils as utils  # noqa: PLC0415 - an optional dependency, and only after the line above
    except ImportError as error:
        raise BackendMissing("gptcache is not installed: pip install 'flyball[semantic]'") from error
    utils.prompt_install = _refuse


def _refuse(package: str, warn: bool = False) -> NoReturn:
    raise BackendMissing(
        f"this backend needs the package {package!r}, which is never installed by itself: pip install it"
    )
