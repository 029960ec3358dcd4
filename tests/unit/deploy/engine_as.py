"""A ClickHouse engine in a process of its own, started with a configuration file: one JSON request a line, one answer.

Arguments: the folder of the store, and the configuration file. What is asked is asked as the user `default` of it.
"""

import json
import sys

import chdb


def main() -> None:
    """Serve until standard input ends."""
    folder, config = sys.argv[1:]
    engine = chdb.connect(f"{folder}?config-file={config}")
    for line in sys.stdin:
        try:
            content = engine.query(json.loads(line), "JSONCompact").bytes()
            answer = {"rows": json.loads(content)["data"] if content else []}
        except RuntimeError as refused:
            answer = {"error": str(refused)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
