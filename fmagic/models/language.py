"""A loaded model that writes: causal, or sequence to sequence."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property, partial
from typing import TYPE_CHECKING

from fmagic.errors import ContextLengthError, UnsuitableModelError
from fmagic.models.abilities import accepts, counts_columns, must_not_look_ahead
from fmagic.models.cache import is_plain
from fmagic.models.chat import Controls, Rendered, as_text, before_next_turn, render
from fmagic.models.choosing import choose_by_cache, choose_by_text
from fmagic.models.decoding import Decoder
from fmagic.models.generating import Generator as Generating
from fmagic.models.generating import decoder_start
from fmagic.models.writer import Decision, Writer
from fmagic.template import Turn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fmagic.models.graphs import Graphs
    from fmagic.models.sampling import Completion, Sampling

ELLIPSIS = "…"


class LanguageModel(Writer):
    """A model that answers prompts; made by `fmagic.models.loader.load`."""

    def render(self, turns: Sequence[Turn]) -> Rendered:
        """Return the text before the model's answer to `turns`."""
        return render(self.tokenizer, turns)

    def tokens(self, rendered: Rendered) -> list[int]:
        """Return the token ids of a rendered text, with what begins a sequence."""
        ids: list[int] = self.tokenizer(
            rendered.text, add_special_tokens=not rendered.special, verbose=False
        )["input_ids"]
        return ids

    def encode(
        self, turns: Sequence[Turn], *, reserve: int = 1, spare: int = 0, truncate: bool = False
    ) -> list[int]:
        """Return the token ids of a prompt.

        Args:
            turns: of the conversation, the answer not included.
            reserve: tokens to leave free for the answer.
            spare: tokens to leave free for it in a prompt that is cut.
            truncate: cut the last user turn at its end, if the prompt is too long.

        Raises:
            ContextLengthError: the prompt does not fit, and `truncate` is false or cannot help.
        """
        ids = self._prompt_ids(turns)
        most = self.context_length - reserve
        if self.kind == "seq2seq":
            most = self.context_length
        if len(ids) <= most:
            return ids
        if not truncate:
            raise ContextLengthError(
                f"The text is {len(ids):,} tokens; {self.name} reads at most {most:,}. "
                "Shorten it, or add --truncate to cut the last user turn at its end."
            )
        if self.kind != "seq2seq":
            most = min(most, self.context_length - spare)
        return self._truncated(list(turns), len(ids), most)

    def _prompt_ids(self, turns: Sequence[Turn]) -> list[int]:
        """Return the token ids before the answer; values stay text, whatever they look like."""
        rendered = self.render(turns)
        if self._controls.inserted(turns):
            return as_text(self.tokenizer, rendered)
        return self.tokens(rendered)

    @cached_property
    def _controls(self) -> Controls:
        return Controls.of(self.tokenizer)

    def _truncated(self, turns: list[Turn], length: int, most: int) -> list[int]:
        place = max(
            (i for i, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1
        )
        kept = self._text_ids(turns[place].text)
        while length > most and kept:
            # Cutting text can change how the rest is split, hence the loop and the spare token.
            kept = kept[: max(0, len(kept) - (length - most) - 1)]
            cut = self.tokenizer.decode(kept, skip_special_tokens=True) + ELLIPSIS
            turns[place] = dataclasses.replace(turns[place], text=cut)
            ids = self._prompt_ids(turns)
            length = len(ids)
        if length > most:
            raise ContextLengthError(
                f"Without its last user turn the prompt is still {length:,} tokens; "
                f"{self.name} reads at most {most:,}. Shorten the other turns."
            )
        return ids

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end an answer: the model's, and the one its chat template writes."""
        tokens = (self.tokenizer.eos_token_id, self.end_of_turn)
        return self._named_ends.union(int(token) for token in tokens if token is not None)

    @cached_property
    def _named_ends(self) -> frozenset[int]:
        """Tokens that end an answer by the files of the model."""
        config = getattr(self.network, "generation_config", None)
        named = getattr(config, "eos_token_id", None)
        if named is None:
            named = getattr(self.network.config, "eos_token_id", None)
        return frozenset({named} if isinstance(named, int) else map(int, named or ()))

    @cached_property
    def end_of_turn(self) -> int | None:
        """The token that an answer is trained to end with; `None` if the model has none."""
        rendered = self.render([Turn("user", "?")])
        if rendered.answer_suffix:
            # Not all of them have a name in the tokenizer, as `eos_token` has, and that of Command
            # R7B does not count as special. Runs of spaces are added tokens too.
            added = self.tokenizer.added_tokens_decoder.items()
            marks = {token for token, each in added if str(each).strip()}
            marks |= set(self.tokenizer.all_special_ids)
            if (end := self._first_of(marks, rendered.answer_suffix)) is not None:
                return end
        # GLM-4 ends its answers with the mark of the user's turn, which is next.
        if rendered.messages:
            follows = before_next_turn(self.tokenizer, rendered)
            if (end := self._first_of(self._named_ends, follows)) is not None:
                return end
        end_of_text: int | None = self.tokenizer.eos_token_id
        return end_of_text

    def _first_of(self, tokens: Collection[int], text: str) -> int | None:
        """Return the first token of a text that is one of these."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return next((int(token) for token in ids if token in tokens), None)

    @cached_property
    def _runner(self) -> Decoder | Generating:
        plain = (
            self.kind == "causal"
            and accepts(self.network, "past_key_values")
            and is_plain(self.network.config)
            and not counts_columns(self.network)
        )
        runner = Decoder if plain else partial(Generating, tuned=self._is_tuned)
        return runner(
            self.network,
            self.tokenizer,
            end_tokens=self.end_tokens,
            context_length=self.context_length,
            batch_tokens=self.batch_tokens,
        )

    @property
    def width(self) -> int:
        """Numbers in the vector of one token."""
        return int(self.network.get_input_embeddings().weight.shape[1])

    @property
    def _is_tuned(self) -> bool:
        return self.adapter is not None or self.spec.kind == "tuned"

    @property
    def _graphs(self) -> Graphs | None:
        """The recorded steps, once there was an answer on a device that has them."""
        return getattr(self.__dict__.get("_runner"), "graphs", None)

    def remarks(self) -> Sequence[str]:
        """Tell whether the steps of one answer are recorded as a CUDA graph, and what that took."""
        return self._graphs.remarks(self.name) if self._graphs else ()

    def trim(self) -> None:
        """Free what is kept only for the speed of the next answer."""
        if self._graphs:
            self._graphs.forget()

    def _text_ids(self, text: str, *, source: str = "", written: bool = False) -> list[int]:
        """Return the token ids of a text alone; none steers the model but those of its source.

        Some translators split what is `written` in another way than what they read.
        """
        split = {"split_special_tokens": True} if self._controls.stand_in(text, but=source) else {}
        ids: list[int] = self.tokenizer(
            **{"text_target" if written else "text": text},
            add_special_tokens=False,
            verbose=False,
            **split,
        )["input_ids"]
        return ids

    def answer_tokens(self, rendered: Rendered, answer: str, *, source: str = "") -> list[int]:
        """Return the token ids of a whole answer after `rendered`, with the token that ends it.

        Args:
            rendered: what is before it.
            answer: its text.
            source: what the author of a template wrote of it, control tokens included.
        """
        if self.kind == "seq2seq":
            start = self._forced_start
            ids = self._text_ids(answer, source=source, written=True)
            ids = ids if start is None else [start, *ids]
        else:
            ids = self._after(rendered.text, rendered.answer_prefix + answer, source=source)
        return ids if self.end_of_turn is None else [*ids, self.end_of_turn]

    @property
    def _forced_start(self) -> int | None:
        """The token that `generate` writes first, whatever the scores; BART has one."""
        for config in (self.network.generation_config, self.network.config):
            if (token := getattr(config, "forced_bos_token_id", None)) is not None:
                return int(token)
        return None

    def _after(self, before: str, text: str, *, source: str = "") -> list[int]:
        """Return the token ids of a text as they are where it goes on from `before`.

        Some tokenizers put a space before whatever they are given, which there is not in the middle
        of a sequence. So the last character before, or a special token, is read along.
        """
        alone = self._text_ids(text, source=source)
        if not before or self._controls.stand_in(text, but=source):
            return alone
        # A special token may take the white space after it, as `<|assistant|>` of Phi-3 does.
        written = before.rstrip()
        ends = (mark for mark in self._controls.marks if written.endswith(mark))
        mark = max(ends, key=len, default="")
        anchor = mark + before[len(written) :] if mark else before[-1]
        both = self._text_ids(anchor + text, source=anchor + source)
        first = self._text_ids(anchor, source=anchor)
        return both[len(first) :] if both[: len(first)] == first else alone

    def room(self, choices: Sequence[str], example: Sequence[Turn]) -> int:
        """Return the tokens of the longest choice, with the token that ends it."""
        rendered = self.render(example)
        return max(len(self.answer_tokens(rendered, each, source=each)) for each in choices)

    def count(self, prompts: Sequence[Sequence[int]]) -> int:
        """Return the tokens of prompts."""
        return sum(map(len, prompts))

    def run(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        *,
        places: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, str, Completion | None]]:
        """Answer prompts; see `Writer.run`."""
        self._must_write()
        self._runner.batch_tokens = self.batch_tokens
        return self._runner.run(prompts, sampling, places=places)

    def choose(
        self, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]]
    ) -> Iterator[tuple[int, list[float]]]:
        """Score each choice as the whole answer to each prompt.

        Args:
            prompts: token ids of each prompt.
            choices: the answers to compare, as `answer_tokens` gives them.

        Yields:
            `(index, log-probabilities)` with one figure a choice, in any order of prompts.
        """
        self._must_write()
        must_not_look_ahead(self.network, self.name, "--choices")
        runner = self._runner
        runner.batch_tokens = self.batch_tokens
        if isinstance(runner, Generating):
            return choose_by_text(
                self.network,
                prompts,
                choices,
                decoder_start=decoder_start(self.network) if self.kind == "seq2seq" else None,
                batch_tokens=self.batch_tokens,
            )
        return choose_by_cache(runner, prompts, choices, batch_tokens=self.batch_tokens)

    def decide(
        self,
        prompts: Sequence[Sequence[int]],
        choices: Sequence[str],
        asked: Sequence[Sequence[Turn]],
    ) -> Iterator[tuple[int, Decision]]:
        """Answer each prompt with the likeliest of the choices; see `Writer.decide`."""
        # How an answer is split into tokens depends on the character before it: that of the chat
        # template, the same for all, or without one the last of the prompt.
        alike: dict[str, list[int]] = {}
        for index, turns in enumerate(asked):
            end = "" if self.tokenizer.chat_template else turns[-1].text[-1:]
            alike.setdefault(end, []).append(index)
        for places in alike.values():
            rendered = self.render(asked[places[0]])
            tokens = [self.answer_tokens(rendered, choice, source=choice) for choice in choices]
            for index, scores in self.choose([prompts[place] for place in places], tokens):
                best = max(range(len(choices)), key=scores.__getitem__)
                probability = 1 / sum(math.exp(score - scores[best]) for score in scores)
                yield places[index], Decision(choices[best], probability)

    def _must_write(self) -> None:
        if self.kind == "encoder":
            raise UnsuitableModelError(
                f"{self.name} is an encoder: it makes vectors and writes no text. "
                "Use it with %%embed, or load a causal model for %%prompt, for example %model tiny."
            )
