"""OpenTelemetry: whether it is on, and the export of what was shipped. Its SDK is loaded only where it is on."""
