"""Sending spans to an OTLP endpoint. Imports OpenTelemetry, so it is imported only for that."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_BATCH = 512


class RunIds(IdGenerator):
    """Makes the ids of a span of the id of its run: a run sent twice is the same span.

    Attributes:
        run: id of the run whose span is started next.
    """

    def __init__(self) -> None:
        self.run = str(uuid.UUID(int=0))

    def generate_trace_id(self) -> int:
        """Return the whole id, of 128 bits."""
        return uuid.UUID(self.run).int

    def generate_span_id(self) -> int:
        """Return its last 64 bits, of which 62 are random."""
        return uuid.UUID(self.run).int & (2**64 - 1)


class Collector:
    """A tracer provider that keeps its spans until they are sent.

    A span processor would keep to itself that the endpoint refused them.

    Attributes:
        ids: of the spans.
        provider: to record them with; it takes all of them, whatever sampler the environment names.
    """

    def __init__(self) -> None:
        self.ids = RunIds()
        # What the environment says of the service, OTEL_SERVICE_NAME, wins.
        named = Resource({"service.name": "fmagic"}).merge(OTELResourceDetector().detect())
        self.provider = TracerProvider(
            sampler=ALWAYS_ON, resource=named, id_generator=self.ids, shutdown_on_exit=False
        )
        self._memory = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))

    def send(self, endpoint: str) -> int:
        """Send the spans; the provider is used up.

        Args:
            endpoint: the full address.

        Returns:
            How many spans the endpoint took: all, or those before the first failure.
        """
        spans: tuple[ReadableSpan, ...] = self._memory.get_finished_spans()
        exporter = OTLPSpanExporter(endpoint=endpoint)
        try:
            for start in range(0, len(spans), _BATCH):
                result = exporter.export(spans[start : start + _BATCH])
                if result is not SpanExportResult.SUCCESS:
                    return start
        finally:
            exporter.shutdown()  # type: ignore[no-untyped-call]
            self.provider.shutdown()
        return len(spans)
