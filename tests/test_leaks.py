"""Models that come and go leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.checkpoints import make_adapter, make_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 20
MOST_GROWTH = 0.05  # of what is resident after the second round

# A process of its own: what other tests left unused would hide a leak.
SCRIPT = """
import json, sys
from fmagic.errors import FmagicError
from fmagic.models import assembly, copies
from fmagic.models.devices import resident_bytes
from fmagic.session import Session
from fmagic.settings import Fmagic

folder, quant, adapter, failure, cache = json.loads(sys.argv[1])
copies.LEAST_PARAMETERS = 0
session = Session(settings=Fmagic(device="cpu", cache_dir=cache, models_dir=cache + "/models"))
session.load(folder, quant="none", dtype="float32")
session.unload()

def stop(*_, **__):
    raise KeyboardInterrupt

def short(*_, **__):
    raise MemoryError

if failure:
    where, what = failure.split(":")
    setattr(assembly, where, {"stop": stop, "short": short}[what])
sizes = []
for _ in range(int(sys.argv[2])):
    if failure:
        try:
            session.load(folder, quant=quant, dtype="float32", adapter=adapter)
        except (FmagicError, KeyboardInterrupt):
            pass
        else:
            raise SystemExit("it did not fail")
        assert not session.by_name and session.current is None
    else:
        model = session.load(folder, quant=quant, dtype="float32", adapter=adapter)
        session.prompt("Once", max_tokens=4)
        del model
        session.unload()
    sizes.append(resident_bytes())
json.dump(sizes, sys.stdout)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model large enough to be seen among what libraries hold: 45 MB in float32."""
    folder = tmp_path_factory.mktemp("leaks") / "model"
    return make_checkpoint(
        folder, "llama", hidden_size=512, intermediate_size=1024, num_hidden_layers=4
    )


def sizes(folder: Path, tmp_path: Path, rounds: int, **options: object) -> list[int]:
    asked = [
        str(folder),
        options.get("quant", "none"),
        str(options["adapter"]) if "adapter" in options else None,
        options.get("failure"),
        str(tmp_path / "cache"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(asked), str(rounds)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("quant", "adapted"), [("none", False), ("nf4", True), ("int8", False)])
def test_twenty_loads(quant: str, adapted: bool, model: Path, tmp_path: Path) -> None:
    options = {"adapter": make_adapter(model, tmp_path / "lora")} if adapted else {}
    held = sizes(model, tmp_path, ROUNDS, quant=quant, **options)
    assert held[-1] <= (1 + MOST_GROWTH) * held[1], held


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("failure", "quant"),
    [
        ("must_work:stop", "nf4"),
        ("must_work:short", "none"),
        ("context_length:stop", "nf4"),
        ("attach:short", "nf4"),
    ],
)
def test_loads_that_fail(failure: str, quant: str, model: Path, tmp_path: Path) -> None:
    adapter = make_adapter(model, tmp_path / "lora")
    held = sizes(model, tmp_path, 6, quant=quant, failure=failure, adapter=adapter)
    assert held[-1] <= (1 + MOST_GROWTH) * held[1], held
