"""From an archive to policies: unpacked, its signature checked, kept to its roots."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from proxy.policy.bundle import BASE, TEST_SUFFIX, Bundle, documents_in, shipped_base
from proxy.policy.bundles import manifest, signatures
from proxy.policy.bundles.archive import unpacked
from proxy.policy.bundles.hashing import plain_yaml
from proxy.policy.bundles.manifest import Manifest
from proxy.policy.bundles.settings import BundleSettings
from proxy.policy.errors import BadPolicy

_DATA: Final = ("data.json", "data.yaml", "data.yml")
_PATCH: Final = "patch.json"


@dataclass(frozen=True, kw_only=True)
class PackedBundle:
    """What a bundle holds. `named`: the revision that its manifest gives it, empty where it gives none."""

    bundle: Bundle
    named: str


def read_archive(
    archive: bytes, settings: BundleSettings, *, base: bool = True, unsigned: bool = False
) -> PackedBundle:
    """The policies of a bundle; `flyball/base.rego` comes with them, unless it has one or `base` is false.

    `unsigned`: no signature is asked for or looked at, for what is only read and never decides.

    Raises:
        BadPolicy: it is broken, is not signed as the settings ask for, or says something outside of its roots.
    """
    files = unpacked(archive)
    if not unsigned:
        signatures.check_signature(files, settings.keys, settings.scope)
    if _PATCH in files:
        raise BadPolicy([f"{_PATCH}: is a change of another bundle; only whole ones are read"])
    told = Manifest.of(files.get(manifest.NAME))
    texts = _texts(files)
    modules = {path: text for path, text in texts.items() if path.endswith(".rego") and not path.endswith(TEST_SUFFIX)}
    data = documents_in({path: text for path, text in texts.items() if path.rpartition("/")[2] in _DATA})
    if problems := list(told.outside(modules, data)):
        raise BadPolicy(problems)
    if base and BASE not in modules:
        modules[BASE] = shipped_base()
    return PackedBundle(bundle=Bundle.of(modules, data), named=told.revision)


def _texts(files: Mapping[str, bytes]) -> dict[str, str]:
    """The files that are read; a bundle may hold others."""
    texts, problems = {}, []
    for path, content in files.items():
        if path.endswith(".rego") or path.rpartition("/")[2] in _DATA:
            try:
                texts[path] = content.decode("utf-8")
                if path.endswith((".yaml", ".yml")):
                    plain_yaml(texts[path])
            except (ValueError, RecursionError, yaml.YAMLError) as error:
                problems.append(f"{path}: {error}")
    if problems:
        raise BadPolicy(problems)
    return texts
