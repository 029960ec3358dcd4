"""Whether OpenTelemetry is on, by our setting and by the standard variables."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from proxy.telemetry.settings import TelemetrySettings

ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
PROTOCOLS: Final = (
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
)
SPOKEN: Final = "http/protobuf"
SAMPLERS: Final = frozenset(
    prefix + name for prefix in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio")
)


def otel_is_on(settings: TelemetrySettings, environment: Mapping[str, str]) -> bool:
    """Whether spans and metrics are sent: `auto` is on where the environment names an endpoint to send them to."""
    if settings.otel == "off" or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return settings.otel == "on" or (any(environment.get(name) for name in ENDPOINTS) and is_installed())


def is_installed() -> bool:
    """Whether OpenTelemetry's SDK and its exporter are there."""
    try:
        return find_spec("opentelemetry.sdk") is not None and find_spec("opentelemetry.exporter.otlp") is not None
    except ModuleNotFoundError:
        return False


def otel_problems(settings: TelemetrySettings, environment: Mapping[str, str]) -> list[str]:
    """What cannot be meant as it stands, each with the setting's path."""
    if not otel_is_on(settings, environment):
        return []
    if not is_installed():
        return ["telemetry.otel: needs OpenTelemetry's SDK: install flyball[otel]"]
    problems = [
        f"telemetry.otel: {name} is {said!r}; only {SPOKEN} is spoken"
        for name in PROTOCOLS
        if (said := environment.get(name, SPOKEN)) != SPOKEN
    ]
    if (sampler := environment.get("OTEL_TRACES_SAMPLER")) is not None and sampler not in SAMPLERS:
        problems.append(f"telemetry.otel: OTEL_TRACES_SAMPLER is {sampler!r}; one of {', '.join(sorted(SAMPLERS))}")
    try:
        sampled = float(environment.get("OTEL_TRACES_SAMPLER_ARG") or 1)
    except ValueError:
        sampled = -1.0
    if not 0 <= sampled <= 1:
        problems.append("telemetry.otel: OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1")
    return problems
