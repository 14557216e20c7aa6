"""`python -m tools.simulator --port 9000 [--config FILE.json] [--ready-file PATH]`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.localaws.owner import follow_owner

from .config import ConfigError, SimulatorConfig, load_config
from .serving.server import HOST, PortTakenError, base_urls, listen, serve


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.simulator", description="Simulate the media vendors' APIs.")
    parser.add_argument("--port", type=int, default=9000, help="loopback port; 0 picks a free one (default 9000)")
    parser.add_argument("--config", type=Path, help="JSON with accounts and latencies; default: roomy fake accounts")
    parser.add_argument("--ready-file", type=Path, help="gets the base URLs as JSON once the simulator listens")
    return parser.parse_args(argv)


def _announce(port: int, ready_file: Path | None) -> None:
    urls = base_urls(port)
    if ready_file:
        # Before the words, since they too are waited for; renamed into place, so that a reader never sees half of it.
        draft = ready_file.with_suffix(".draft")
        draft.write_text(json.dumps({"admin": f"http://{HOST}:{port}", "urls": urls}), encoding="utf-8")
        draft.replace(ready_file)
    print(f"simulator listens on http://{HOST}:{port} (control: /_control, statistics: /_stats)")
    for name, url in urls.items():
        print(f"export {name}={url}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to stop; 2 when it can't start."""
    follow_owner()
    options = _arguments(argv)
    try:
        config = load_config(options.config) if options.config else SimulatorConfig()
        sock = listen(options.port)
    except (ConfigError, PortTakenError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    serve(sock, config, lambda: _announce(sock.getsockname()[1], options.ready_file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
