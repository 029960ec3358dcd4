"""Grafana dashboards as code; the generated JSON is what is shipped and provisioned."""
