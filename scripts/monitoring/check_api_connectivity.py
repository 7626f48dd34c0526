"""Try the way to the venue, the database and the collector: one line per step; exit 0 healthy, 1 degraded, 2 unhealthy.

    python scripts/monitoring/check_api_connectivity.py [--config FILE] [--network NAME] [--url URL] [--coin SYMBOL]
                                                        [--timeout SECONDS] [--json]

The same as `hat check connectivity`; run it with the Python hat is installed in. What cannot even be tried (a bad
configuration) is one sentence and exit 2.
"""

import argparse
import json
import sys
from pathlib import Path

from bot.cli_options import configured
from bot.connectivity import EXIT_CODES, TIMEOUT_SECONDS, check_connectivity
from domain.errors import HouseError

UNUSABLE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(description="Try the way to the venue, the database and the collector.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; default: ./hat.toml when there is one")
    parser.add_argument("--network", metavar="NAME", help="local, testnet or mainnet; default: the configured one")
    parser.add_argument("--url", help="base URL of network local; default: http://127.0.0.1:3001")
    parser.add_argument("--coin", metavar="SYMBOL", help="whose book is asked for; default: the first configured")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, metavar="SECONDS", help="of each step")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        config = configured(
            options.config,
            network={"name": options.network, "url": options.url},
            market={"instruments": options.coin},
        )
        report = check_connectivity(config, options.timeout)
    except HouseError as problem:
        print(json.dumps({"status": "unhealthy", "detail": str(problem)}) if options.json else str(problem))
        return UNUSABLE
    print(json.dumps(report.shape()) if options.json else "\n".join(report.lines()))
    return EXIT_CODES[report.status]


if __name__ == "__main__":
    sys.exit(main())
