"""The data source that boards and alert rules ask: its uid, its plugin, and its settings as Grafana stores them."""

from typing import Any, Final

PLUGIN: Final = "grafana-clickhouse-datasource"
PLUGIN_VERSION: Final = "4.8.2"
UID: Final = "clickhouse"
NAME: Final = "Flyball"


def datasource(
    host: str, port: int | str, user: str, password: str, *, database: str = "flyball", secure: bool = False
) -> dict[str, Any]:
    """The settings, in the words of provisioning files and of the HTTP API alike."""
    return {
        "name": NAME,
        "uid": UID,
        "type": PLUGIN,
        "access": "proxy",
        "jsonData": {
            "host": host,
            "port": port,
            "protocol": "http",
            "secure": secure,
            "username": user,
            "defaultDatabase": database,
            "dialTimeout": "10",
            "queryTimeout": "60",
        },
        "secureJsonData": {"password": password},
    }
