"""Every setting says what it does."""

from dataclasses import fields

from proxy.telemetry.settings import TelemetrySettings


def test_every_setting_has_its_sentence() -> None:
    assert [each.name for each in fields(TelemetrySettings) if not each.metadata.get("doc")] == []
