"""Models that `decoding` cannot run: recurrent states, encoder-decoders, caches of their own kind.

They go through the `generate` of transformers, in batches of equal length, so that a recurrent
state never reads padding. Text streams out of a worker thread that ends with its consumer. A model
whose makers set a beam search does that, unless it samples: its answers come whole.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from fmagic.errors import UnsuitableModelError
from fmagic.models.detokenize import Detokenizer
from fmagic.models.measures import input_device
from fmagic.models.sampling import Completion, Finish, Sampling, pick, stream_of
from fmagic.shield import Shield

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_ROWS = 64


def beams_of(network: Any) -> int:
    """Return how many beams a model's makers set for its answers; 1 is no search."""
    return int(getattr(network.generation_config, "num_beams", None) or 1)


def decoder_start(network: Any) -> int:
    """Return the token that begins the output of an encoder-decoder, as `generate` finds it.

    Raises:
        UnsuitableModelError: the model's files name none.
    """
    configs = (network.generation_config, network.config.get_text_config(decoder=True))
    for name in ("decoder_start_token_id", "bos_token_id"):
        for config in (*configs, network.config):
            if (token := getattr(config, name, None)) is not None:
                return int(token)
    raise UnsuitableModelError("The model's files do not say which token begins its output.")


class _Streamer:
    """Receives tokens from `generate`: the prompt's first, unless the model has an encoder."""

    def __init__(self, *, skip_prompt: bool) -> None:
        self.tokens: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()
        self._skip = skip_prompt

    def put(self, value: torch.Tensor) -> None:
        if self._skip:
            self._skip = False
            return
        for token in value.flatten().tolist():
            self.tokens.put(token)

    def end(self) -> None:
        """`generate` calls this; the worker marks the end itself, also after an error."""


class _Stopped(Exception):  # noqa: N818 - no error
    """Ends `generate` in the worker; nobody waits for its tokens any more."""


@contextlib.contextmanager
def _stops_between_layers(network: Any, event: threading.Event) -> Iterator[None]:
    """End what the network computes at its next layer once the event is set.

    `generate` itself would look after a token, and the first one may take a minute.
    """

    def look(*_: Any) -> None:
        if event.is_set():
            raise _Stopped

    stacks = (each for each in network.modules() if isinstance(each, torch.nn.ModuleList))
    layers = [network, *(layer for stack in stacks for layer in stack)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Draw(LogitsProcessor):  # type: ignore[misc]  # transformers has no types
    """Leaves each row the one token that is drawn from the row's own random stream.

    The sampling of `generate` draws all rows from one stream, and from the 50 likeliest tokens.
    """

    def __init__(self, sampling: Sampling, places: Sequence[int]) -> None:
        self._sampling = sampling
        self._streams = [stream_of(sampling.seed, place) for place in places]

    def __call__(self, _: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        drawn = pick(scores, self._sampling, self._streams)[:, None]
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn, 0.0)


class Generator:
    """Runs prompts through `generate`.

    Args:
        network: causal model or encoder-decoder.
        tokenizer: of the model.
        end_tokens: tokens that end an answer.
        context_length: most tokens of prompt and answer together.
        batch_tokens: most tokens read at once.
        tuned: whether the weights were tuned here for another task than their makers'.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        *,
        end_tokens: frozenset[int],
        context_length: int,
        batch_tokens: int,
        tuned: bool = False,
    ) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens
        self._context_length = context_length
        self.batch_tokens = batch_tokens
        self._has_encoder = bool(network.config.is_encoder_decoder)
        # LED reads far more than it can write.
        written = getattr(network.config, "max_decoder_position_embeddings", None)
        self._longest = min(context_length, written or context_length)
        self._device = input_device(network)
        self._beams = beams_of(network)
        self._tuned = tuned

    def run(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        *,
        places: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, str, Completion | None]]:
        """Answer every prompt; see `decoding.Decoder.run`.

        A prompt alone streams, but for a search; rows of a table come when their batch has finished.
        """
        beams = 1 if sampling.temperature else self._beams
        numbers = range(len(prompts)) if places is None else places
        if len(prompts) == 1 and beams == 1:
            yield from self._stream(prompts[0], sampling, numbers[0])
            return
        order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
        for length, same in groupby(order, key=lambda index: len(prompts[index])):
            indices = list(same)
            size = max(1, min(MOST_ROWS, self.batch_tokens // length) // beams)
            for start in range(0, len(indices), size):
                part = indices[start : start + size]
                outputs = self._generate(
                    [prompts[i] for i in part], sampling, [numbers[i] for i in part]
                )
                for index, tokens in zip(part, outputs, strict=True):
                    text = Detokenizer(self._tokenizer, sampling.stop)
                    yield index, *self._finish(text, tokens, len(prompts[index]))

    def _finish(
        self, text: Detokenizer, tokens: Sequence[int], prompt: int
    ) -> tuple[str, Completion]:
        finish: Finish = "length"
        taken = 0
        pieces = []
        for token in tokens:
            taken += 1
            if token in self._end_tokens:
                finish = "stop"
                break
            pieces.append(text.push(token))
            if text.stopped:
                break
        pieces.append(text.close())
        if text.stopped:
            finish = "stop"
        return "".join(pieces), Completion(text.text.strip(), prompt, taken, finish)

    def _stream(
        self, prompt: Sequence[int], sampling: Sampling, place: int
    ) -> Iterator[tuple[int, str, Completion | None]]:
        streamer = _Streamer(skip_prompt=True)
        stopping = threading.Event()

        def work() -> None:
            try:
                with _stops_between_layers(self._network, stopping):
                    self._generate([prompt], sampling, [place], streamer=streamer)
                streamer.tokens.put(None)
            except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
                streamer.tokens.put(error)

        worker = threading.Thread(target=work, name="fmagic-generate", daemon=True)
        text = Detokenizer(self._tokenizer, sampling.stop)
        taken = 0
        finish: Finish = "length"
        try:
            with Shield() as shield:
                worker.start()
            if shield.struck:
                raise KeyboardInterrupt
            while (token := streamer.tokens.get()) is not None:
                if isinstance(token, BaseException):
                    raise token
                taken += 1
                if token in self._end_tokens:
                    finish = "stop"
                    break
                if new := text.push(token):
                    yield 0, new, None
                if text.stopped:
                    finish = "stop"
                    break
        finally:
            stopping.set()
            with Shield():  # what goes on computing would be in the next cell's way
                worker.join()
        rest = text.close()
        if text.stopped:
            finish = "stop"
        yield 0, rest, Completion(text.text.strip(), len(prompt), taken, finish)

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        places: Sequence[int],
        *,
        streamer: _Streamer | None = None,
    ) -> list[list[int]]:
        """Return the new tokens of each prompt; all prompts have one length."""
        ids = torch.tensor([list(prompt) for prompt in prompts], device=self._device)
        read = 0 if self._has_encoder else ids.shape[1]
        # What is left out here is as the model's makers set it.
        alone = {"num_beams": 1, "early_stopping": False} if sampling.temperature else {}
        # The lengths that they set are those of their task, and not of what was learned since.
        learned = {"min_length": 0, "no_repeat_ngram_size": 0} if self._tuned else {}
        config = GenerationConfig(
            max_new_tokens=max(1, min(sampling.max_tokens, self._longest - read)),
            num_return_sequences=1,
            eos_token_id=sorted(self._end_tokens) or None,
            pad_token_id=self._tokenizer.pad_token_id,
            bos_token_id=self._tokenizer.bos_token_id,
            decoder_start_token_id=decoder_start(self._network) if self._has_encoder else None,
            do_sample=False,
            **alone,
            **learned,
        )
        drawn = LogitsProcessorList([_Draw(sampling, places)] if sampling.temperature else [])
        output = self._network.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=config,
            logits_processor=drawn,
            streamer=streamer,
        )
        # An encoder-decoder's output begins with the token that starts the decoder.
        first = 1 if self._has_encoder else read
        tokens: list[list[int]] = output[:, first:].tolist()
        return tokens
