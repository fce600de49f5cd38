"""One stream of tokens, against the bare `generate` of transformers."""

from __future__ import annotations

from typing import Any

from fmagic.errors import OptionError

from .harness import Row, Settings, alternate
from .models import make_qwen3
from .texts import of_tokens

NAME = "decode"
TITLE = "tokens a second of one greedy answer, Qwen3 of 40M"
TARGET = "never below `generate` at equal settings"

PROMPT = 32  # tokens
NEW = 128  # tokens
SETTINGS: dict[str, dict[str, Any]] = {
    "bf16": {"quant": "none", "dtype": "bfloat16"},
    "fp32": {"quant": "none", "dtype": "float32"},
    "nf4+dq": {"quant": "nf4"},
    "int8": {"quant": "int8"},
}


def run(settings: Settings) -> list[Row]:
    """Decode with one model object, fmagic's streaming loop and `generate` in turns."""
    from fmagic.models.language import LanguageModel
    from fmagic.models.loader import load

    folder = make_qwen3(settings.folder / "qwen3-40m")
    rows = []
    for label, options in SETTINGS.items():
        try:
            model = load(str(folder), **options)
        except OptionError as error:  # this device cannot run the method
            rows.append(Row(label, "generate", None, None, "tokens/s", note=str(error)))
            continue
        assert isinstance(model, LanguageModel)
        rows.append(compare(model, label, settings.repeats(5), target="1"))
        model.unload()
    return rows


def compare(model: Any, label: str, repeats: int, *, target: str, note: str = "") -> Row:
    """Let `generate` and fmagic write the same answer in turns."""
    import torch

    from fmagic.models.sampling import Sampling

    ids = model.tokenizer(of_tokens(model.tokenizer, [PROMPT])[0])["input_ids"]
    given = torch.tensor([ids], device=model.network.device)
    written: dict[str, str] = {}

    def stream() -> None:
        *_, (_, _, completion) = model.run([ids], Sampling(max_tokens=NEW))
        assert completion.output_tokens == NEW, "fmagic stopped early"
        written["fmagic"] = completion.text

    @torch.inference_mode()
    def generate() -> None:
        output = model.network.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=NEW,
            do_sample=False,
        )[0, len(ids) :]
        assert len(output) == NEW, "generate stopped early"
        written["peer"] = model.tokenizer.decode(output).strip()

    seconds = alternate({"peer": generate, "fmagic": stream}, repeats)
    same = "same text" if written["peer"] == written["fmagic"] else "the texts differ"
    return Row(
        f"{label}, {len(ids)} tokens read, {NEW} written",
        "model.generate, no streamer",
        seconds["peer"].rate(NEW),
        seconds["fmagic"].rate(NEW),
        "tokens/s",
        target=target,
        note=f"{same}; fmagic's side streams text{note and '; '}{note}",
    )
