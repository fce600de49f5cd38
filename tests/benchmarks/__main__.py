"""`python -m tests.benchmarks [NAME ...] [--repeat N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .report import as_json, heading, machine, markdown
from .runner import found, run_all


def main() -> int:
    """Run what was asked for, print it, and return 1 if something failed."""
    benchmarks = found()
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benchmarks))
    parser.add_argument("--repeat", type=int, metavar="N", help="measurements of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    options = parser.parse_args()
    unknown = set(options.names) - set(benchmarks)
    if unknown:
        known = ", ".join(benchmarks)
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {known}")
    if options.repeat is not None and options.repeat < 1:
        parser.error("--repeat must be at least 1")
    facts = machine()
    _say(heading(facts))
    outcomes = []
    for outcome in run_all(options.names or benchmarks, options.repeat):
        outcomes.append(outcome)
        _say(markdown(outcome))
    if options.json:
        options.json.write_text(json.dumps(as_json(facts, outcomes), indent=2) + "\n", "utf-8")
    return int(any(outcome.failed for outcome in outcomes))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
