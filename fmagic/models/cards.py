"""Cards of models: the licence read from anybody's, and the one that a tuned model gets.

A card is a Markdown file, README.md, with a front matter in YAML, as the hub has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fmagic.models.hub import CARD
from fmagic.models.licenses import classify, hub_tags, strictest
from fmagic.runs.sealing import seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TextIO

    from fmagic.models.licenses import License
    from fmagic.models.spec import ModelSpec

LICENSE_KEY = re.compile(r"[\"']?(license|license_name|license_link)[\"']?\s*:")
LICENSE_FILE = re.compile(r"(?:\./)?([\w.-]+(?:/[\w.-]+)*)", re.ASCII)
# Cards of embedding models list thousands of scores; what is longer is no card.
LONGEST_MATTER = 4_000_000
LONGEST_LINE = 1000
MOST_LINES = 40  # about the licence
MARKS = re.compile(r"[\\`*_\[\]<>&#|]")
HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}

CARD_TEXT = """\
# {name}

{base_said}, tuned with [fmagic](https://pypi.org/project/fmagic/) by `%%finetune`{stopped}.
{use}

## Licence

{license_said}

## How it was made

{table}

Losses are means over learned tokens, in nats: `loss` that of the last tenth of the steps, `held out
loss` that of held-out rows, before and after. Of the data only name and fingerprint are kept here.
"""


def license_of(folder: Path, name: str | None = None) -> License:
    """Return the licence in the front matter of a model's card, `UNKNOWN` if there is none.

    Args:
        folder: of the model; its card may say anything and is believed in nothing else.
        name: of the model on the hub, where a link to a file beside the card leads.
    """
    said = _license_entries(folder / CARD)
    tags = said.get("license")
    link = said.get("license_link")
    if isinstance(link, str) and name and (file := LICENSE_FILE.fullmatch(link)):
        link = f"https://huggingface.co/{name}/blob/main/{file[1]}"
    written = said.get("license_name")
    return strictest(
        classify(
            tag,
            name=written if isinstance(written, str) else None,
            link=link if isinstance(link, str) else None,
        )
        for tag in (tags if isinstance(tags, list) else [tags])
        if tag is None or isinstance(tag, str)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What a card says about a tuning.

    Attributes:
        name: of the tuned model.
        run: id of the run that made it.
        base: of which it is made.
        base_revision: commit of the base, `None` for a folder.
        license: of the base, and so of the result.
        method: `lora`, `qlora` or `full`.
        data: of the table: `name`, `rows`, `sha256`, as far as they are known.
        options: every option, defaults included.
        figures: losses, steps and the like.
        interrupted: whether Stop ended it early.
        version: of fmagic.
    """

    name: str
    run: str
    base: ModelSpec
    base_revision: str | None
    license: License
    method: str
    data: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    figures: Mapping[str, object] = field(default_factory=dict)
    interrupted: bool = False
    version: str = ""


def tuned_card(tuning: Tuning) -> str:
    """Return the card of a tuned model, without secrets and absolute paths."""
    import yaml

    about = seal({"params": {"options": tuning.options, "data": tuning.data}})["params"]
    pairs = [
        ("base", tuning.base.name),
        ("revision of the base", tuning.base_revision),
        ("method", tuning.method),
        *((f"data: {_words(name)}", value) for name, value in about["data"].items()),
        *((_words(name), value) for name, value in tuning.figures.items()),
        *((f"option: {_words(name)}", value) for name, value in about["options"].items()),
        ("run", tuning.run),
        ("fmagic", tuning.version),
    ]
    rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in pairs if value is not None]
    body = CARD_TEXT.format(
        name=_line(tuning.name),
        base_said=_base(tuning.base),
        stopped=", stopped before its end" if tuning.interrupted else "",
        use=f"In a notebook with fmagic: `%model {_line(tuning.name).replace('`', '')}`.",
        license_said=_license(tuning.license),
        table="\n".join(["| what | value |", "|---|---|", *rows]),
    )
    matter = yaml.safe_dump(front_matter(tuning), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{matter}---\n\n{body}"


def front_matter(tuning: Tuning) -> dict[str, Any]:
    """Return what the hub reads of a card."""
    held = tuning.license
    matter: dict[str, Any] = {}
    if tuning.base.kind == "hub":
        matter["base_model"] = tuning.base.name
        matter["base_model_relation"] = "finetune" if tuning.method == "full" else "adapter"
    if held.id in hub_tags():
        matter["license"] = held.id
    else:
        matter["license"] = "other"
        matter["license_name"] = held.id
        if held.url:
            matter["license_link"] = held.url
    matter["library_name"] = "transformers" if tuning.method == "full" else "peft"
    matter["tags"] = ["fmagic", tuning.method]
    return matter


def _license_entries(card: Path) -> dict[str, Any]:
    """Return `license`, `license_name` and `license_link` of a card's front matter.

    Only these lines are given to the YAML reader, and as texts: a card is anybody's file, and
    reading a long one whole takes seconds.
    """
    import yaml

    if not card.is_file():  # a pipe would wait for a writer
        return {}
    try:
        with card.open(encoding="utf-8-sig", errors="replace") as lines:
            text = _license_lines(lines)
        # The base loader makes texts, lists and dicts, and nothing else.
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - see above
    except (OSError, yaml.YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _license_lines(lines: TextIO) -> str:
    """Return the entries of a front matter that are about the licence."""
    if lines.readline(LONGEST_MATTER).rstrip() != "---":
        return ""
    kept: list[str] = []
    inside, read = False, 0
    while line := lines.readline(LONGEST_MATTER):
        read += len(line)
        if line.rstrip() == "---":
            return "".join(kept)
        if read > LONGEST_MATTER:
            break
        if not line[0].isspace() and line[0] not in "-#]}":
            inside = LICENSE_KEY.match(line) is not None
        if inside and len(kept) < MOST_LINES:
            kept.append(line[:LONGEST_LINE])
    return ""


def _base(base: ModelSpec) -> str:
    if base.kind == "hub":
        return f"[{_line(base.name)}](https://huggingface.co/{base.name})"
    if base.kind == "tiny":
        return "`tiny`, the model that comes with fmagic"
    return f"The model {_line(base.name)}"


def _license(held: License) -> str:
    if held.kind == "unknown":
        return f"The licence of the base is not known ({_line(held.id)}): {held.conditions}."
    name = f"[{_line(held.name)}]({held.url})" if held.url else _line(held.name)
    if not held.conditions:
        return f"That of the base: {name} ({held.kind}). Keep its notice."
    return f"That of the base: {name} ({held.kind}). What matters: {_line(held.conditions)}."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: object) -> str:
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return _line(shown)


def _line(text: str) -> str:
    """Return a text of anybody's on one line, in which Markdown and HTML mean nothing."""
    flat = " ".join(text.split())
    return MARKS.sub(lambda found: HTML.get(found[0]) or f"\\{found[0]}", flat)
