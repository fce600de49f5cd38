"""OpenTelemetry spans by the conventions for generative AI."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from fmagic.errors import LogError, OptionError
from fmagic.runs.exporters._fields import as_text, dotted, end_ns, flatten, start_ns
from fmagic.runs.exporters._genai import ATTRIBUTES, attributes, operation
from fmagic.runs.exporters._messages import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span, TracerProvider

    from fmagic.runs.exporters._fields import Dump
    from fmagic.runs.exporters._otlp import RunIds
    from fmagic.runs.record import RunRecord

NAME = "otel"
TITLE = "OpenTelemetry spans, to an OTLP endpoint or the tracer provider of this process"
NEEDS: str | None = "fmagic[trackers]"

_PATH = "/v1/traces"
# A span keeps 128 unless told otherwise, and throws away those that came first.
_MOST_ATTRIBUTES = 128
_WAIT_MS = 10_000
# Texts may hold anybody's data: by the conventions they stay out of a trace.
_TEXTS = {("template",), ("cell", "source"), ("output", "text"), ("error", "message")}


def export(records: Sequence[RunRecord], target: str | None) -> str:
    """Write one span for each record, linked to the spans of the runs that it builds on.

    A span holds names, options, figures and versions, but neither the template nor the answer.

    Args:
        records: the runs.
        target: an OTLP endpoint that speaks HTTP, `http://localhost:4318`; trace and span ids are
            then made of the run's id, so that a run sent twice is the same span. By default the
            spans go to the tracer provider that the process has set.

    Raises:
        OptionError: the endpoint is no address.
        LogError: it does not take the spans, or no tracer provider is set.
    """
    dumps = list({record.id: record.dump() for record in records}.values())
    if target is None:
        place = "the tracer provider of this process"
        count = _record(dumps, _global_provider())
    else:
        place = shown(target)
        count = _send(dumps, _endpoint(target))
    return f"Wrote {count:,} span{'' if count == 1 else 's'} to {place}."


def _endpoint(target: str) -> str:
    """Return the full address; one without a path is completed by the usual one."""
    try:
        parts = urlsplit(target)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # of brackets or a port that are none
        usable = False
    if not usable:
        raise OptionError(
            f"An OTLP endpoint is an address such as http://localhost:4318, not {shown(target)!r}."
        )
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else _PATH))


def _global_provider() -> TracerProvider:
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        raise LogError(
            "OpenTelemetry has no tracer provider in this process. Give an OTLP endpoint, "
            "http://localhost:4318, or call opentelemetry.trace.set_tracer_provider first."
        )
    return provider


def _send(dumps: list[Dump], endpoint: str) -> int:
    from fmagic.runs.exporters._otlp import Collector

    collector = Collector()
    count = _record(dumps, collector.provider, collector.ids)
    taken = collector.send(endpoint)
    if taken < count:
        raise LogError(
            f"The OTLP endpoint {shown(endpoint)} took {taken:,} of {count:,} spans. "
            "Is a collector listening there, over HTTP?"
        )
    return count


def _record(dumps: list[Dump], provider: TracerProvider, ids: RunIds | None = None) -> int:
    """Record a span for each run and return how many there are."""
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind

    tracer = provider.get_tracer("fmagic")
    spans: dict[str, Span] = {}
    for dump in dumps:
        if ids is not None:
            ids.run = dump["id"]
        span = tracer.start_span(
            _name(dump),
            context=Context(),  # each run is a trace of its own, whatever span is open here
            kind=SpanKind.INTERNAL,  # the model runs in this process
            attributes=_attributes(dump),
            start_time=start_ns(dump),
        )
        spans[dump["id"]] = span
    for dump in dumps:
        _finish(spans[dump["id"]], dump, spans)
    count = sum(span.is_recording() for span in spans.values())
    for dump in dumps:
        spans[dump["id"]].end(end_ns(dump) or start_ns(dump))
    flush = getattr(provider, "force_flush", None)  # of the SDK, not of the API
    if flush is not None:
        flush(_WAIT_MS)
    if not count:
        raise LogError("OpenTelemetry recorded no span: it is switched off, or samples none.")
    return count


def _finish(span: Span, dump: Dump, spans: dict[str, Span]) -> None:
    from opentelemetry.trace import Status, StatusCode

    related = [("parent", parent) for parent in dump.get("parents", [])]
    related += [("rerun", dump["rerun"]["of"])] if "rerun" in dump else []
    for relation, run_id in related:
        if run_id in spans:
            span.add_link(spans[run_id].get_span_context(), {"fmagic.relation": relation})
    if dump["status"] == "error":
        # The message may quote what was asked or answered.
        span.set_status(Status(StatusCode.ERROR, dump.get("error", {}).get("type")))


def _name(dump: Dump) -> str:
    model = dump.get("model", {}).get("name", "")
    return f"{operation(dump['kind'])} {model}".strip()


def _attributes(dump: Dump) -> dict[str, Any]:
    values = dict(flatten(dump))
    told = {each.path for each in ATTRIBUTES} | _TEXTS
    # What the conventions have no word for stands under the name of the record's field.
    rest = [
        path
        for path, value in values.items()
        if path not in told and path[0] != "series" and value != []
    ]
    found = attributes(values)
    for path, name in dotted(rest).items():
        found.setdefault(f"fmagic.{name}", _value(values[path]))
    return dict(islice(found.items(), _MOST_ATTRIBUTES))


def _value(value: Any) -> Any:
    """Return a value of a type that an attribute may have."""
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return as_text(value)
