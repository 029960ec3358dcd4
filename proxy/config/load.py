"""Reading the configuration: one file, the environment over it, all mistakes told at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from proxy.config.contradictions import contradictions
from proxy.config.fill import Filler
from proxy.config.known_providers import from_environment
from proxy.config.schema import FileSettings
from proxy.config.tree import Mapping_, NotYaml, Scalar, parse

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
NOT_SETTINGS: Final = frozenset({"FLYBALL_CONFIG", "FLYBALL_HOME"})


class BadConfig(ValueError):
    """A configuration that cannot be used; `errors` holds one sentence per mistake, each with its place."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is configured, where and from which text it was read, where state is kept, and a name for this content."""

    settings: FileSettings
    path: Path | None
    home: Path
    generation: str
    text: str = ""
    taken_policy: Path | None = None

    @property
    def has_provider(self) -> bool:
        """Whether any real provider is configured."""
        return bool(self.settings.providers)


def load_config(
    path: Path | None, environment: Mapping[str, str], *, text: str | None = None, taken_policy: Path | None = None
) -> Config:
    """Read and check everything; with no file, known environment keys make providers and routes.

    `text` stands for what the file says, for a process that is to have what its supervisor took; other paths are
    still relative to the file. `taken_policy` stands for the policies in the same way.

    Raises:
        BadConfig: anything at all is wrong.
    """
    name = str(path or "(no file)")
    if text is None:
        text, name = _read(path)
    try:
        tree = parse(text, name)
    except NotYaml as error:
        raise BadConfig([str(error)]) from None
    base = path.parent if path else Path.cwd()
    filler = Filler(base.absolute(), environment)
    if isinstance(tree, Mapping_):
        _overlay(tree, environment, filler)
    settings = filler.fill(FileSettings, tree, "")
    if settings is None or filler.errors:
        raise BadConfig(filler.errors)
    if not settings.providers and not settings.routes:
        providers, routes = from_environment(environment)
        settings = replace(settings, providers=providers, routes=routes)
    if wrong := contradictions(settings, tree, environment, taken_policy):
        raise BadConfig(wrong)
    return Config(
        settings=settings,
        path=path,
        home=home_of(path, environment),
        generation=_generation(text, environment),
        text=text,
        taken_policy=taken_policy,
    )


def home_of(path: Path | None, environment: Mapping[str, str]) -> Path:
    """The state folder: $FLYBALL_HOME, else `.flyball` beside the file, else the XDG state folder."""
    if named := environment.get("FLYBALL_HOME"):
        return Path(named).expanduser().absolute()
    if path is not None:
        return path.absolute().parent / ".flyball"
    state = environment.get("XDG_STATE_HOME")
    return (Path(state) if state else Path("~/.local/state").expanduser()) / "flyball"


def _read(path: Path | None) -> tuple[str, str]:
    if path is None:
        return "", "(no file)"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadConfig([f"{path}: larger than {MAX_FILE_BYTES} bytes"])
        return path.read_text("utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([f"{path}: cannot be read: {error}"]) from None


def _overlay(tree: Mapping_, environment: Mapping[str, str], filler: Filler) -> None:
    """Put FLYBALL_<PART>__<KEY> over the file: FLYBALL_SERVER__WORKERS=4 is server.workers."""
    for variable, value in environment.items():
        if not variable.startswith("FLYBALL_") or "__" not in variable or variable in NOT_SETTINGS:
            continue
        *parts, last = variable.removeprefix("FLYBALL_").lower().split("__")
        place = f"environment {variable}"
        here = tree
        for part in parts:
            below = here.entries.setdefault(part, Mapping_({}, place))
            if not isinstance(below, Mapping_):
                filler.errors.append(f"{place}: {part} holds no keys")
                return
            here = below
        here.entries[last] = Scalar(value, False, place)


def _generation(text: str, environment: Mapping[str, str]) -> str:
    ours = sorted((name, value) for name, value in environment.items() if name.startswith("FLYBALL_") and "__" in name)
    return hashlib.sha256(repr((text, ours)).encode()).hexdigest()[:12]
