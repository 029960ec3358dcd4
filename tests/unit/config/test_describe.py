"""Every setting has its sentence, and docs/settings.md is what the settings say."""

from pathlib import Path

from proxy.config.describe import describe, undocumented
from proxy.config.schema import FileSettings

DOCS = Path(__file__).parents[3] / "docs"


def test_every_setting_has_its_sentence() -> None:
    assert undocumented(FileSettings) == []


def test_the_reference_is_up_to_date() -> None:
    """If this fails: python -m proxy.config.describe > docs/settings.md"""
    assert (DOCS / "settings.md").read_text() == describe()
