"""Serves our graph over the workload's backend, as a target of the peers' runner.

    BACKEND=http://127.0.0.1:9100 VARIANT=A python -m bench.peers.serve --port PORT [--apart] [--anew] [--executed]

Operations share vendor calls under way as they always do, unless `--apart`; no answer of a vendor is read again that is the same as before,
unless `--anew`; and no query is executed again whose answer is kept, unless `--executed`.
"""

import os
from argparse import ArgumentParser

import vendors
from bench.peers.workload import VARIANTS, VENDORS_FOLDER


def main() -> None:
    """Serve until told to stop."""
    parser = ArgumentParser(prog="python -m bench.peers.serve")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--executed", action="store_true")
    given = parser.parse_args()
    backend, variant = os.environ.get("BACKEND", ""), os.environ.get("VARIANT", "A")
    if not backend or variant not in VARIANTS:
        parser.error(f"BACKEND is the address of the vendors, VARIANT one of {', '.join(VARIANTS)}")
    vendors.__path__.append(str(VENDORS_FOLDER))
    from bench.peers.target import serve  # noqa: PLC0415  # the graph's types are made of the vendors there are when it is imported

    serve(backend, variant, port=given.port, apart=given.apart, anew=given.anew, executed=given.executed)


if __name__ == "__main__":
    main()
