"""ClickHouse's HTTP interface over the chdb engine in this process; only the collector imports it."""
