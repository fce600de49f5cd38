"""What a front knows of the place where it is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

KERNEL = "from fmagic.live import _session_name; print(_session_name())"
STARTER = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]], env={**os.environ, "JPY_SESSION_NAME": "a.ipynb"})
"""


@pytest.mark.parametrize(
    ("starter", "said"),
    # Jupyter's server gives each kernel the name; a notebook that runs another one bears it itself.
    [(None, "a.ipynb"), ("b.ipynb", "a.ipynb"), ("a.ipynb", "None")],
)
def test_the_name_of_another_kernels_notebook_is_not_taken_over(
    starter: str | None, said: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "JPY_SESSION_NAME"}
    if starter:
        environment["JPY_SESSION_NAME"] = starter
    command = [sys.executable, "-c", STARTER, KERNEL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said
