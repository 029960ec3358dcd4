"""The boards' panels as pages, from the same files that Grafana is given."""
