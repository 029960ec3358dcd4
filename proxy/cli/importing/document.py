"""flyball.yaml and its price overlay, written from what was read elsewhere."""

from decimal import Decimal
from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    """Writes money as its digits and short mappings on a line of their own; no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Two places that say the same say it twice."""
        return True


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    text = f"{value:f}"
    return dumper.represent_scalar("tag:yaml.org,2002:float" if "." in text else "tag:yaml.org,2002:int", text)


_Plain.add_representer(Decimal, _decimal)


def written(tree: dict[str, object], heading: str) -> str:
    """A YAML document under comment lines."""
    lines = "".join(f"# {line}\n" if line else "#\n" for line in heading.splitlines())
    return lines + yaml.dump(tree, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
