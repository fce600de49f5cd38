"""The record of one run, `fmagic.run/1`."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from fmagic.runs.identity import utc_now, utc_text, uuid7
from fmagic.runs.limits import is_cut
from fmagic.runs.sealing import seal

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_MIME = "application/vnd.fmagic.run.v1+json"
SCHEMA: Literal["fmagic.run/1"] = "fmagic.run/1"

Status: TypeAlias = Literal["running", "ok", "error", "interrupted"]
RunId: TypeAlias = Annotated[
    str, Field(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
]
UtcText: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$")]
Kind: TypeAlias = Annotated[str, Field(pattern="^[a-z][a-z_-]{0,31}$")]
Series: TypeAlias = dict[str, list[tuple[float, float]]]


class _Part(BaseModel):
    # Fields of later versions are kept, not understood.
    model_config = ConfigDict(extra="allow", populate_by_name=True)


class CellInfo(_Part):
    """The cell that was run."""

    source: str | None = None
    execution_count: int | None = None
    id: str | None = None


class LicenseInfo(_Part):
    """What the model's licence asks of its user. `class` is open, restricted, commercial, unknown."""

    id: str
    class_: str | None = Field(default=None, alias="class")
    conditions: str | None = None
    url: str | None = None

    @property
    def said(self) -> str:
        """The licence in one line."""
        kind = self.class_ if self.class_ != self.id else None
        return f"{self.id} ({kind})" if kind else self.id


class ModelInfo(_Part):
    """The model that did it, as it was loaded; whether it ran its own code or was pickled, if so."""

    name: str
    revision: str | None = None
    quant: str | None = None
    dtype: str | None = None
    device: str | None = None
    adapter: str | None = None
    license: LicenseInfo | None = None
    trust_remote_code: bool | None = None
    allow_pickle: bool | None = None


class DataInfo(_Part):
    """The table that went in. `sha256` is the fingerprint of its rows."""

    name: str
    rows: int | None = None
    columns: list[str] | None = None
    sha256: str | None = None


class OutputInfo(_Part):
    """What came out: a text, the outline of a table, or both.

    `sha256` is that of the text; of a tuning that of the weights that were saved, of vectors that of
    their bytes. `marks` has a sign for each row of an evaluation, in strings of a thousand: `1` right,
    `0` wrong, `-` not answered; `expected_sha256` is that of the answers that would have been right.
    """

    text: str | None = None
    table: dict[str, Any] | None = None
    marks: list[str] | None = None
    expected_sha256: str | None = None
    sha256: str | None = None

    @classmethod
    def of(cls, output: str | Mapping[str, Any]) -> OutputInfo:
        """Return what the log keeps of a text, or of the fields given."""
        made = cls(text=output) if isinstance(output, str) else cls(**output)
        if made.text is not None and made.sha256 is None:
            made.sha256 = hashlib.sha256(made.text.encode("utf-8", "surrogatepass")).hexdigest()
        return made


class EnvironmentInfo(_Part):
    """What the result may depend on besides the cell: versions, the device, the commit."""

    fmagic: str | None = None
    python: str | None = None
    torch: str | None = None
    transformers: str | None = None
    bitsandbytes: str | None = None
    peft: str | None = None
    device_name: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None


class ErrorInfo(_Part):
    """Why the run failed."""

    type: str
    message: str = ""

    @classmethod
    def of(cls, error: BaseException) -> ErrorInfo:
        """Return what the log keeps of an exception."""
        return cls(type=type(error).__name__, message=str(error))


class RerunInfo(_Part):
    """Which run this one repeats, and whether the same came out."""

    of: str
    same_output: bool | None = None


class RunRecord(_Part):
    """One run.

    A record in memory may hold whatever the user typed. What leaves memory goes through `dump` or
    `sealed`: no secret, no absolute path, at most 64 KiB.

    Attributes:
        kind: the operation: `prompt`, `embed`, `finetune`, `evaluate`, ...
        started: UTC, `2026-11-21T08:05:00.000Z`.
        seconds: duration; `None` while the run lasts.
        params: every option, defaults included.
        series: curves, `{name: [(step, value), ...]}`.
        notices: what the user should know of it that stopped nothing.
        parents: ids of the runs that this one builds on.
        edited: when tags or note were last changed; of two records the later edited one holds.
    """

    schema_: Literal["fmagic.run/1"] = Field(default=SCHEMA, alias="schema")
    id: RunId = Field(default_factory=uuid7)
    kind: Kind
    status: Status = "running"
    started: UtcText = Field(default_factory=lambda: utc_text(utc_now()))
    seconds: float | None = None
    cell: CellInfo | None = None
    notebook: str | None = None
    model: ModelInfo | None = None
    template: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    data: DataInfo | None = None
    output: OutputInfo | None = None
    metrics: dict[str, int | float] = Field(default_factory=dict)
    series: Series = Field(default_factory=dict)
    notices: list[str] = Field(default_factory=list)
    parents: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    note: str | None = None
    edited: UtcText | None = None
    rerun: RerunInfo | None = None
    environment: EnvironmentInfo | None = None
    error: ErrorInfo | None = None

    def __repr__(self) -> str:
        return f"RunRecord({self.short_id}, {self.kind}, {self.status})"

    def __str__(self) -> str:
        return repr(self)

    @property
    def short_id(self) -> str:
        """The last eight characters of the id: the first ones are alike in runs of one day."""
        return self.id[-8:]

    @property
    def started_at(self) -> datetime:
        """The start as a time, in UTC."""
        return datetime.fromisoformat(self.started)

    @property
    def finished(self) -> bool:
        """Whether the run was seen to end."""
        return self.status != "running" and self.seconds is not None

    @property
    def cell_is_cut(self) -> bool:
        """Whether the source of the cell is there only in part."""
        source = self.cell.source if self.cell is not None else None
        return bool(source) and is_cut(str(source))

    def gave_the_same(self, other: RunRecord) -> bool | None:
        """Tell whether two runs gave the same; `None` if what one gave is not known."""
        prints = [each.output.sha256 if each.output else None for each in (self, other)]
        return None if None in prints else prints[0] == prints[1]

    def dump(self) -> dict[str, Any]:
        """Return the record as JSON types, in the order of the schema, fit to be written.

        Fields that are `None` or empty are left out, secrets and absolute paths are replaced, and
        long texts are cut: as JSON in UTF-8 the result takes at most 64 KiB.
        """
        known = {name: getattr(self, name) for name in type(self).model_fields}
        data: dict[str, Any] = {}
        for name, value in {**known, **(self.model_extra or {})}.items():
            if isinstance(value, BaseModel):
                # The plain form of it.
                value = value.model_dump(exclude_none=True, by_alias=True)  # noqa: PLW2901
            if value is not None and value not in ({}, []):
                data["schema" if name == "schema_" else name] = value
        return seal(data)

    def sealed(self) -> RunRecord:
        """Return the record as everyone else will see it."""
        return RunRecord.model_validate(self.dump())


def flat(part: BaseModel) -> dict[str, Any]:
    """Return the fields of a part of a record as a reader sees them: a licence is one line."""
    fields = part.model_dump(by_alias=True)
    held = getattr(part, "license", None)
    return {**fields, "license": held.said} if isinstance(held, LicenseInfo) else fields
