from __future__ import annotations

import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from fmagic.errors import LogError, OptionError
from fmagic.runs.exporters import export
from fmagic.runs.record import ModelInfo, RerunInfo, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator


class Endpoint:
    """A collector on the loopback: keeps what it is sent."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest()
                request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, request))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[tuple[bytes, bytes, str]]:
        return [
            (span.trace_id, span.span_id, span.name)
            for _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    yield made
    made.shutdown()


@pytest.fixture
def memory(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What the process's own tracer provider exports, in batches as users set it."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return exporter


def by_run(memory: InMemorySpanExporter) -> dict[object, ReadableSpan]:
    return {(span.attributes or {}).get("fmagic.id"): span for span in memory.get_finished_spans()}


def test_each_record_becomes_a_span_with_its_times(
    records: list[RunRecord], memory: InMemorySpanExporter
) -> None:
    said = export("otel", records)
    assert said == f"Wrote {len(records)} spans to the tracer provider of this process."
    spans = by_run(memory)
    assert set(spans) == {record.id for record in records}
    for record in records:
        span = spans[record.id]
        started = record.started_at.timestamp()
        assert span.start_time == pytest.approx(started * 1e9, rel=1e-15)
        assert span.end_time == pytest.approx((started + (record.seconds or 0)) * 1e9, rel=1e-15)
        assert span.kind is SpanKind.INTERNAL
        assert span.parent is None


def test_a_span_that_is_open_here_is_no_parent(
    records: list[RunRecord], memory: InMemorySpanExporter, provider: TracerProvider
) -> None:
    with provider.get_tracer("mine").start_as_current_span("my work"):
        export("otel", records[:1])
    assert by_run(memory)[records[0].id].parent is None


def test_names_are_those_of_the_conventions(
    records: list[RunRecord], memory: InMemorySpanExporter
) -> None:
    export("otel", records)
    spans = by_run(memory)
    prompt = spans[records[0].id]
    assert prompt.name == "chat Qwen/Qwen3-0.6B"
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fmagic",
        "gen_ai.request.model": "Qwen/Qwen3-0.6B",
        "gen_ai.request.max_tokens": 256,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.seed": 0,
        "gen_ai.usage.input_tokens": 14,
        "gen_ai.usage.output_tokens": 12,
        "gen_ai.response.time_to_first_chunk": 0.081,
        "fmagic.model.quant": "nf4",
        "fmagic.metrics.tokens_per_second": 41.3,
        "fmagic.notebook": "tour.ipynb",
    }
    attributes = dict(prompt.attributes or {})
    assert {name: attributes.get(name) for name in expected} == expected
    (embed,) = [record for record in records if record.kind == "embed"]
    attributes = dict(spans[embed.id].attributes or {})
    assert attributes["gen_ai.operation.name"] == "embeddings"
    assert attributes["gen_ai.embeddings.dimension.count"] == 384
    (evaluate,) = [record for record in records if record.kind == "evaluate"]
    assert spans[evaluate.id].name == "evaluate reviews-lora"


def test_the_types_are_those_of_the_conventions(memory: InMemorySpanExporter) -> None:
    record = RunRecord(kind="prompt", params={"temperature": 0, "stop": ["a", "b"], "top_k": 5.0})
    export("otel", [record])
    attributes = dict(by_run(memory)[record.id].attributes or {})
    assert isinstance(attributes["gen_ai.request.temperature"], float)
    assert isinstance(attributes["gen_ai.request.top_k"], int)
    assert attributes["gen_ai.request.stop_sequences"] == ("a", "b")


def test_an_error_is_an_error_and_a_stop_by_the_user_is_none(
    records: list[RunRecord], memory: InMemorySpanExporter
) -> None:
    export("otel", records)
    spans = by_run(memory)
    for record in records:
        span = spans[record.id]
        failed = record.status == "error"
        assert span.status.status_code is (StatusCode.ERROR if failed else StatusCode.UNSET)
        if record.error is not None:
            # Messages may quote what was asked; they stay here.
            assert span.status.description == record.error.type
            assert (span.attributes or {})["error.type"] == record.error.type
        assert (span.attributes or {})["fmagic.status"] == record.status


def test_a_run_is_linked_to_those_it_builds_on(memory: InMemorySpanExporter) -> None:
    first, second = RunRecord(kind="finetune"), RunRecord(kind="evaluate")
    second.parents = [first.id, str(uuid.uuid4())]
    third = RunRecord(kind="evaluate", rerun=RerunInfo(of=second.id))
    export("otel", [third, second, first])  # whichever comes first
    spans = by_run(memory)
    assert [link.context for link in spans[second.id].links] == [spans[first.id].context]
    assert [link.context for link in spans[third.id].links] == [spans[second.id].context]
    assert spans[first.id].links == ()


def test_what_was_asked_and_answered_stays_out(
    records: list[RunRecord], memory: InMemorySpanExporter
) -> None:
    export("otel", records)
    for span in memory.get_finished_spans():
        told = str(dict(span.attributes or {}))
        assert "Paris" not in told
        assert "capital" not in told


def test_hostile_and_many_options_leave_the_names_in_place(
    hostile: RunRecord, memory: InMemorySpanExporter
) -> None:
    hostile.params |= {f"option {number}": number for number in range(300)}
    export("otel", [hostile])
    (span,) = memory.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.operation.name"] == "finetune"
    assert attributes["fmagic.id"] == hostile.id
    assert span.dropped_attributes == 0


def test_no_secret_and_no_path_of_this_machine_is_in_a_span(
    secretive: RunRecord, told: tuple[bytes, bytes], endpoint: Endpoint
) -> None:
    export("otel", [secretive], endpoint.address)
    ((_, request),) = endpoint.requests
    sent = request.SerializeToString()
    assert secretive.id.encode() in sent
    assert not any(each in sent for each in told)


def test_an_endpoint_gets_all_spans_and_twice_the_same(
    records: list[RunRecord], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "my notebook")
    said = export("otel", [*records, records[0]], endpoint.address)
    assert said == f"Wrote {len(records)} spans to {endpoint.address}."
    ((path, request),) = endpoint.requests
    assert path == "/v1/traces"
    assert b"my notebook" in request.SerializeToString()
    sent = endpoint.spans()
    ids = [uuid.UUID(record.id).bytes for record in records]
    assert [(trace_id, span_id) for trace_id, span_id, _ in sent] == [
        (each, each[8:]) for each in ids
    ]
    export("otel", records, f"{endpoint.address}/own/path")
    assert endpoint.requests[-1][0] == "/own/path"
    assert endpoint.spans() == [*sent, *sent]


def test_many_runs_go_in_several_requests(endpoint: Endpoint) -> None:
    records = [RunRecord(kind="prompt", model=ModelInfo(name="tiny")) for _ in range(600)]
    assert "600 spans" in export("otel", records, endpoint.address)
    assert len(endpoint.requests) == 2
    assert len({span_id for _, span_id, _ in endpoint.spans()}) == 600


def test_an_endpoint_that_refuses_is_one_clear_line(
    records: list[RunRecord], endpoint: Endpoint
) -> None:
    endpoint.status = 400
    with pytest.raises(LogError, match=r"took 0 of 8 spans\. Is a collector") as caught:
        export("otel", records, endpoint.address.replace("//", "//ann:hunter22@"))
    assert "hunter22" not in str(caught.value)


def test_an_endpoint_that_is_not_there_is_one_clear_line(
    records: list[RunRecord], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    with pytest.raises(LogError, match="Is a collector listening there"):
        export("otel", records, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "target",
    ["localhost:4318", "runs.json", "grpc://localhost:4317", "", "http://[", "http://localhost:x"],
)
def test_what_is_no_address_is_said_so(target: str, records: list[RunRecord]) -> None:
    with pytest.raises(OptionError, match="is an address such as http://localhost:4318"):
        export("otel", records, target)


def test_without_a_provider_nothing_is_lost_silently(
    records: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    with pytest.raises(LogError, match="no tracer provider in this process"):
        export("otel", records)
    off = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: off)
    with pytest.raises(LogError, match="recorded no span"):
        export("otel", records)
