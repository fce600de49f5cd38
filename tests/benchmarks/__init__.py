"""fmagic against what one would use instead, both in one run on one machine.

`python -m tests.benchmarks` from the repository root runs all of it. A benchmark is a file in this
folder with `NAME`, `TITLE`, `TARGET` and `run(settings) -> list[Row]`; it is found by its presence.
"""
