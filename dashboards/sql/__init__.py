"""What the queries of all boards are put together from; needs no Grafana."""
