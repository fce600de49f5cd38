"""The documented API: one `Session` for each kernel, one method for each magic."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.drive import Points, tidy
from fmagic.errors import DataError, OptionError, TemplateError, did_you_mean
from fmagic.filling import checked_choices, fill, texts_of
from fmagic.health import doctor_view, freed_view, loaded_view, status_view
from fmagic.logbook import Logbook
from fmagic.models.sampling import Sampling
from fmagic.picking import models_view, picking
from fmagic.results import Answer, Answers, Scores, Tuned, Vectors, View
from fmagic.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fmagic.data import Rows
    from fmagic.models.loaded import Loaded
    from fmagic.operations.evaluate import EvaluateResult
    from fmagic.operations.finetune import FinetuneResult
    from fmagic.operations.prompt import PromptResult
    from fmagic.runs.record import RunRecord


class Session(Logbook):
    """Models, templates and the log of one kernel.

    Args:
        settings: defaults and limits; those of the working folder if not given.
        front: where the session is used; plain Python if not given.
    """

    @tidy
    def prompt(
        self,
        template: str | Template,
        *,
        data: object = None,
        model: str | Loaded | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: Sequence[str] = (),
        seed: int | None = None,
        choices: Sequence[str] = (),
        truncate: bool = False,
        on_missing: str = "error",
        variables: Mapping[str, object] | None = None,
        data_name: str | None = None,
    ) -> Answer | Answers:
        """Answer a template once, or for each row of a table.

        Args:
            template: its text, or the name of a saved one; lines of `system:`, `user:` and
                `assistant:` alone start turns. A final assistant turn is left out, so that a
                template for tuning can be prompted.
            data: a frame, list of dicts, dataset or path; each row fills the template.
            model: name of a loaded model, or a spec that is loaded now; the current one if absent.
            max_tokens: most tokens of an answer.
            temperature: 0 takes the likeliest token each time.
            top_p: share of the probability that is sampled from.
            stop: strings at which an answer ends.
            seed: start of the random streams.
            choices: the answer is the likeliest of these; a text is split at its commas.
            truncate: cut prompts that are too long at the end of their last user turn.
            on_missing: `error`, `skip` or `keep` rows with `None` or `NaN` in a used column.
            variables: names for the template besides the columns; the notebook's if absent.
            data_name: what to call the table in the record.

        Returns:
            `Answer` with `.text`, or with data `Answers` with `.frame`: the rows and `answer`.

        Raises:
            TemplateError: the template is empty, unbalanced, or names what is not there.
            DataError: the table cannot be read, or lacks values.
            Interrupted: Stop was pressed; `.result` holds what was done.
        """
        from fmagic.operations.prompt import prompt

        parsed = self.template(template)
        if parsed.has_answer:
            parsed = parsed.without_answer()
        language = self.writer(model, "%%prompt")
        sampling = self._sampling(max_tokens, temperature, top_p, stop, seed)
        choices = checked_choices(choices)
        rows, prompts = fill(
            parsed,
            data,
            variables=self._variables(variables),
            name=data_name,
            on_missing=on_missing,
            adds=("answer", "probability") if choices else ("answer",),
        )

        def wrap(done: PromptResult, record: RunRecord, _: Points) -> Answer | Answers:
            if rows is None:
                return Answer(record, done.texts[0] or "", done.probabilities[0])
            columns: dict[str, Sequence[object]] = {"answer": done.texts}
            if choices:
                columns["probability"] = done.probabilities
            return Answers(record, rows.attach(**columns), done.texts)

        return self.run(
            "prompt",
            prompt(language, prompts, sampling, choices=choices, truncate=truncate),
            wrap,
            model=language,
            template=parsed.source,
            rows=rows,
            params=_params(sampling, choices=choices, truncate=truncate, on_missing=on_missing),
            seed=sampling.seed,
        )

    @tidy
    def evaluate(
        self,
        template: str | Template,
        *,
        data: object,
        model: str | Loaded | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: Sequence[str] = (),
        seed: int | None = None,
        choices: Sequence[str] = (),
        truncate: bool = False,
        on_missing: str = "error",
        variables: Mapping[str, object] | None = None,
        data_name: str | None = None,
    ) -> Scores:
        """Score a template whose final `assistant:` turn is the expected answer.

        Takes what `prompt` takes; `data` is needed.

        Returns:
            `Scores` with `.scores` (accuracy with its 95% Wilson interval, and more), `.labels`
            and `.frame`: the rows with `answer`, `expected` and `correct`.

        Raises:
            TemplateError: there is no `assistant:` turn, or as for `prompt`.
            DataError: as for `prompt`.
            Interrupted: Stop was pressed; `.result` holds the scores of what was done.
        """
        from fmagic.operations.evaluate import evaluate

        parsed = self._with_answer(template, "%%evaluate", "the expected answer")
        language = self.writer(model, "%%evaluate")
        sampling = self._sampling(max_tokens, temperature, top_p, stop, seed)
        choices = checked_choices(choices)
        rows, examples = fill(
            parsed,
            _needed(data, "%%evaluate"),
            variables=self._variables(variables),
            name=data_name,
            on_missing=on_missing,
            adds=("answer", "expected", "correct"),
        )
        assert rows is not None

        def wrap(done: EvaluateResult, record: RunRecord, _: Points) -> Scores:
            frame = rows.attach(answer=done.answers, expected=done.expected, correct=done.correct)
            return Scores(record, frame, done.answers, done.scores, done.labels)

        return self.run(
            "evaluate",
            evaluate(language, examples, sampling, choices=choices, truncate=truncate),
            wrap,
            model=language,
            template=parsed.source,
            rows=rows,
            params=_params(sampling, choices=choices, truncate=truncate, on_missing=on_missing),
            seed=sampling.seed,
        )

    @tidy
    def embed(
        self,
        texts: object,
        *,
        column: str | None = None,
        model: str | Loaded | None = None,
        truncate: bool = False,
        data_name: str | None = None,
    ) -> Vectors:
        """Make a vector for each text.

        Args:
            texts: a string, a list of strings, or a table; with `column` a string is a file.
            column: of the table; may be left out if the table has only one.
            model: as for `prompt`; an encoder, or a language model whose states are pooled.
            truncate: cut texts that are too long at their end.
            data_name: what to call the table in the record.

        Returns:
            `Vectors` with `.vectors` (float32 of shape `(n, d)`, each of length 1), `.frame` (the
            source rows) and `.texts`.

        Raises:
            DataError: no texts, no such column, or cells that are no text.
            ContextLengthError: a text is longer than the model reads.
            Interrupted: Stop was pressed; rows that were not reached are NaN in `.result`.
        """
        from fmagic.data import open_rows
        from fmagic.operations.embed import EmbedResult, embed, neighbours

        if isinstance(texts, str) and column is None and data_name is None:
            texts = [texts]
        if isinstance(texts, list) and all(isinstance(each, str) for each in texts):
            texts, column = [{"text": each} for each in texts], "text"
        rows = open_rows(texts, name=data_name, called="texts")
        values = texts_of(rows, column)
        loaded = self.model(model)

        def wrap(done: EmbedResult, record: RunRecord, _: Points) -> Vectors:
            near = neighbours(done.vectors, most=10) if done.done == len(values) else []
            return Vectors(record, done.vectors, rows.attach(), values, near)

        return self.run(
            "embed",
            embed(loaded, values, truncate=truncate),
            wrap,
            model=loaded,
            rows=rows,
            params={"column": column, "truncate": truncate},
        )

    @tidy
    def finetune(
        self,
        template: str | Template,
        *,
        data: object,
        name: str,
        base: str | Loaded | None = None,
        method: str = "lora",
        held_out: object = None,
        held_out_name: str | None = None,
        truncate: bool = False,
        on_missing: str = "error",
        variables: Mapping[str, object] | None = None,
        data_name: str | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> Tuned:
        """Train a model on a template over a table; the result is a model with a name.

        Args:
            template: its final `assistant:` turn is what is learned.
            data: rows to learn from, as for `prompt`.
            name: of the tuned model; it is saved, loaded and made current under it.
            base: model to start from, as `model` of `prompt`. Of an adapter, its base is taken.
            method: `lora`, `qlora` (on a quantized base) or `full`.
            held_out: rows to measure the loss on, before, during and after; the epoch that does
                best on them is kept, so these are not the rows for the final score.
            held_out_name: what to call them in messages.
            truncate: cut prompts that are too long.
            on_missing: as for `prompt`.
            variables: as for `prompt`.
            data_name: what to call the table in the record.
            seed: of the order of rows and the new weights.
            options: further fields of `operations.finetune.FinetuneOptions`, such as `epochs`,
                `lr`, `rank` and `batch_size`.

        Returns:
            `Tuned` with `.name`, `.folder` and `.metrics` (losses, speed, sizes).

        Raises:
            TemplateError: there is no `assistant:` turn, or as for `prompt`.
            TrainingError: there is nothing to learn, or the loss is no number.
            Interrupted: Stop was pressed; the best weights so far are saved and loaded.
        """
        from fmagic.models.spec import must_name_tuned
        from fmagic.operations.finetune import FinetuneOptions, finetune
        from fmagic.runs.identity import uuid7

        parsed = self._with_answer(template, "%%finetune", "what the model should learn to answer")
        must_name_tuned(name)
        start = self.trainable_base(base, name)
        given = {"truncate": truncate, "method": method, **options}
        known = [each.name for each in fields(FinetuneOptions)]
        if unknown := next((each for each in given if each not in known), None):
            other = {"model": "base", "eval": "held_out", "text": "template"}.get(unknown)
            hint = f" It is called {other} here." if other else did_you_mean(unknown, known)
            raise OptionError(
                f"finetune has no option {unknown!r}.{hint} It has base, held_out, name, "
                f"{', '.join(known)}."
            )
        settings = FinetuneOptions(seed=self.settings.seed if seed is None else seed, **given)
        others = self._variables(variables)
        filling: dict[str, Any] = {"variables": others, "on_missing": on_missing}
        rows, examples = fill(parsed, _needed(data, "%%finetune"), name=data_name, **filling)
        filling["name"] = held_out_name or "held_out"
        held, tests = fill(parsed, held_out, **filling) if held_out is not None else (None, [])
        run_id = uuid7()

        def adopt(_: FinetuneResult) -> None:
            self.load(
                name,
                quant=start.quant,
                dtype=start.dtype,
                device=str(start.device),
                trust_remote_code=start.trust_remote_code,
                allow_pickle=start.allow_pickle,
            )

        def wrap(done: FinetuneResult, record: RunRecord, points: Points) -> Tuned:
            return Tuned(record, name, done.folder, done.metrics(), points.series, done.example)

        return self.run(
            "finetune",
            finetune(
                start,
                examples,
                held_out=tests,
                options=settings,
                template=parsed.source,
                folder=Path(self.settings.models_dir) / name / run_id,
                data=_described(rows),
            ),
            wrap,
            model=start,
            template=parsed.source,
            rows=rows,
            params={
                "name": name,
                "on_missing": on_missing,
                "held_out": _described(held) or None,
                **settings.params(start.width),
            },
            seed=settings.seed,
            run_id=run_id,
            adopt=adopt,
        )

    def models(
        self,
        query: str = "",
        *,
        task: str | None = None,
        license: str | None = None,  # noqa: A002 - the field's word; the builtin is a printer
        fits: bool = False,
        cached: bool = False,
        max_size: str | None = None,
        tune: str | None = None,
        hub: bool = False,
    ) -> View:
        """Show what can be picked: what fits first, then what is on this disk, then by size.

        Args:
            query: part of a name, or of what a model is good at.
            task: `text-generation`, `embedding`, `seq2seq`, ...
            license: a class (`open`, `restricted`, `commercial`, `unknown`) or an identifier.
            fits: only what fits into the memory that is free.
            cached: only what is on this disk.
            max_size: `3B` or `500M` parameters at most, or `5GB` of memory.
            tune: `lora`, `qlora` or `full`: only what can be tuned so; the memory is that of tuning.
            hub: search the Hugging Face Hub for `query` as well; if it is a model's name, the heads
                of its files are read for what it takes.

        Returns:
            A display whose `.data` is a list of `models.choices.Choice`.

        Raises:
            OptionError: no such task or licence, or a size that is none.
            OfflineError: `hub` is set, and the network is off or does not answer.
        """
        from fmagic.models.choices import Wanted

        wanted = Wanted(query, task, license, fits, cached, max_size, tune)
        return models_view(self, wanted, hub=hub)

    def pick(self) -> None:
        """Show the picker: models with filters and fit, and a button that loads one.

        Raises:
            OptionError: this is no notebook, or ipywidgets is not installed.
        """
        if not self.front.pick(picking(self)):
            raise OptionError(
                "The picker is a widget: it needs a notebook and ipywidgets (pip install "
                "ipywidgets). `%models` lists the same, and `%model NAME` loads."
            )

    def loaded(self) -> View:
        """Return what is loaded."""
        return loaded_view(self)

    def freed(self, amount: int) -> View:
        """Return how many bytes an unloading brought back, and what is still loaded."""
        return freed_view(self, amount)

    def status(self) -> View:
        """Return the status card: device, memory, loaded models, where the journal is."""
        return status_view(self, self.log)

    def doctor(self) -> View:
        """Check the installation; `.data` is a list of `health.Check`."""
        return doctor_view(self.settings)

    def template(self, template: str | Template) -> Template:
        """Parse a text, or the saved template whose name it is.

        Raises:
            TemplateError: as for `Template.parse`.
        """
        if isinstance(template, Template):
            return template
        if not isinstance(template, str):
            raise TemplateError(
                f"A template is a text, not a {type(template).__name__}. Several prompts are a table: "
                'prompt("{{ text }}", data=[{"text": "..."}, ...]).'
            )
        return Template.parse(self.templates.get(template.strip(), template))

    def save_template(self, name: str, text: str) -> None:
        """Keep a template under a name for this kernel.

        Raises:
            OptionError: the name is not one word.
        """
        if not name.isidentifier():
            raise OptionError(f"{name!r} is no name for a template: use one word, such as reviews.")
        Template.parse(text)
        self.templates[name] = text

    def saved_template(self, name: str) -> str:
        """Return the text of a saved template.

        Raises:
            TemplateError: none has this name.
        """
        if name not in self.templates:
            raise TemplateError(
                f"No template is saved as {name!r}.{did_you_mean(name, self.templates)} "
                "`%%prompt --save NAME` saves one."
            )
        return self.templates[name]

    def _with_answer(self, template: str | Template, verb: str, purpose: str) -> Template:
        parsed = self.template(template)
        if not parsed.has_answer:
            near = parsed.near_answer()
            raise TemplateError(
                f"{verb} needs a last turn `assistant:` with {purpose}"
                f"{near and f'; {near}'}, for example:\n"
                "assistant:\n{{ label }}"
            )
        return parsed

    def _variables(self, given: Mapping[str, object] | None) -> Mapping[str, object]:
        return self.front.variables() if given is None else given

    def _sampling(
        self,
        max_tokens: int | None,
        temperature: float | None,
        top_p: float | None,
        stop: Sequence[str],
        seed: int | None,
    ) -> Sampling:
        defaults = self.settings
        return Sampling(
            max_tokens=defaults.max_tokens if max_tokens is None else max_tokens,
            temperature=defaults.temperature if temperature is None else temperature,
            top_p=defaults.top_p if top_p is None else top_p,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            seed=defaults.seed if seed is None else seed,
        )


def _params(sampling: Sampling, **others: object) -> dict[str, object]:
    params = {key: value for key, value in asdict(sampling).items() if key != "seed"}
    return {**params, **{key: _plain(value) for key, value in others.items()}}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _needed(data: object, verb: str) -> object:
    if data is None:
        raise DataError(f"{verb} needs a table: add --data NAME, a frame, list of dicts or a path.")
    return data


def _described(rows: Rows | None) -> dict[str, object]:
    if rows is None:
        return {}
    return {"name": rows.name, "rows": len(rows), "sha256": rows.sha256}
