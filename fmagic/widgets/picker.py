"""The picker as core ipywidgets: a thin view of `fmagic.picker.Picking`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from fmagic.models.choices import method_said
from fmagic.models.known import TASKS
from fmagic.models.licenses import KINDS
from fmagic.picking import count_said, rows_said, tuning_said
from fmagic.views import Card, Gauge, KeyValue, Progress, Stack, Text, bundle, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fmagic.models.choices import Choice
    from fmagic.models.fit import Fit
    from fmagic.picker import Picking
    from fmagic.views import Block, Tone

SIZES = (("any size", ""), *((f"up to {each}", each) for each in ("0.5B", "1B", "3B", "8B", "15B")))
ROWS = 30  # a longer list is slow to build and is not read
LIST_HEIGHT = "300px"


class Picker:
    """Shows a picker and what it has done.

    Args:
        state: what is shown.
    """

    def __init__(self, state: Picking) -> None:
        self._state = state
        # One for each model: a row that changed its meaning could be clicked while it does.
        self._rows: dict[str, _Row] = {}
        self._handle: Any = None
        self._filling = False
        self.root = widgets.VBox(
            [*self._filters(), self._list(), self._details(), self._actions()],
            layout=widgets.Layout(max_width="860px"),
        )
        state.observe(lambda _: self._show_list(), ["found", "hub_said"])
        state.observe(lambda _: self._show_details(), ["name", "found", "method"])
        state.observe(lambda _: self._show_state(), ["phase", "message", "done", "total", "name"])
        state.observe(lambda _: self._leave_line(), "line")
        self._show_list()
        self._show_details()
        self._show_state()

    def show(self) -> None:
        """Display the picker, and under it the line that does the same, which is saved."""
        from IPython.display import display

        display(self.root)  # type: ignore[no-untyped-call]  # IPython has it without types
        self._handle = display(self._line(), raw=True, display_id=True)  # type: ignore[no-untyped-call]  # as above

    def _filters(self) -> Iterator[widgets.Widget]:
        state = self._state
        tasks = [("any task", ""), *((each.replace("-", " "), each) for each in TASKS)]
        licences = [("any licence", ""), *((each, each) for each in KINDS if each != "unknown")]
        small = widgets.Layout(width="150px")
        query = widgets.Text(
            placeholder="name, or what it should be good at",
            continuous_update=False,
            layout=widgets.Layout(width="260px"),
        )
        pairs = (
            (query, "query"),
            (widgets.Dropdown(options=tasks, layout=small), "task"),
            (widgets.Dropdown(options=licences, layout=small), "license"),
            (widgets.Dropdown(options=SIZES, layout=small), "max_size"),
        )
        narrow = {"indent": False, "layout": widgets.Layout(width="130px")}
        fits = widgets.Checkbox(description="only what fits", **narrow)
        on_hub = widgets.Checkbox(description="search the hub", **narrow)
        for widget, trait in (*pairs, (fits, "fits"), (on_hub, "on_hub")):
            widget.value = getattr(state, trait)
            widgets.link((state, trait), (widget, "value"))
        yield widgets.HBox(
            [*(widget for widget, _ in pairs), fits, on_hub],
            layout=widgets.Layout(flex_flow="row wrap"),
        )

    def _list(self) -> widgets.Widget:
        self._box = widgets.VBox(
            layout=widgets.Layout(
                max_height=LIST_HEIGHT, overflow="auto", border="1px solid rgba(128,128,128,0.35)"
            )
        )
        self._more = widgets.HTML()
        return widgets.VBox([self._box, self._more])

    def _details(self) -> widgets.Widget:
        self._about = widgets.HTML()
        self._method = widgets.Dropdown(
            description="quantization",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="560px"),
        )
        self._method.observe(self._other_method, "value")
        return widgets.VBox([self._about, self._method])

    def _actions(self) -> widgets.Widget:
        self._load = widgets.Button(description="Load", button_style="primary")
        self._cancel = widgets.Button(description="Cancel")
        self._bar = widgets.IntProgress(layout=widgets.Layout(width="240px"))
        self._said = widgets.HTML()
        self._load.on_click(lambda _: self._state.load())
        self._cancel.on_click(lambda _: self._state.cancel())
        buttons = widgets.HBox([self._load, self._cancel, self._bar])
        return widgets.VBox([buttons, self._said])

    def _show_list(self) -> None:
        found = self._state.found
        shown = []
        for choice in found[:ROWS]:
            if choice.name not in self._rows:
                self._rows[choice.name] = _Row(self._state, choice.name)
            self._rows[choice.name].show(choice)
            shown.append(self._rows[choice.name].root)
        self._box.children = shown
        notes = []
        if not found:
            notes.append("No model is like that. Widen the filters.")
        elif len(found) > ROWS:
            notes.append(f"The first {ROWS} of {len(found)} models. The filters find others.")
        if self._state.hub_said:
            notes.append(self._state.hub_said)
        self._more.value = Text(" ".join(notes), tone="muted").html() if notes else ""

    def _show_details(self) -> None:
        picked = self._state.picked
        for row in list(self._rows.values()):
            row.mark(self._state.name)
        self._about.value = _about(picked).html()
        options = [("auto", "auto")]
        if picked is not None and picked.fits:
            options = [(_method_said(picked, "auto"), "auto")]
            options += [(_method_said(picked, name), name) for name in picked.fits]
        method = self._state.method if picked is not None else "auto"
        # Other options make the widget fall back to the first one, which nobody picked.
        self._filling = True
        self._method.options = options
        self._method.value = method if method in dict(options).values() else "auto"
        self._filling = False
        self._method.layout.display = None if picked is not None and picked.runs else "none"

    def _other_method(self, change: Any) -> None:
        if change["new"] is not None and not self._filling:
            self._state.method = change["new"]

    def _show_state(self) -> None:
        state = self._state
        loading = state.phase == "loading"
        self._load.disabled = not state.can_load
        self._cancel.disabled = not loading
        fetching = loading and state.done < state.total
        self._bar.layout.visibility = "visible" if fetching else "hidden"
        # The front end counts in 32 bits.
        self._bar.max, self._bar.value = 1000, 1000 * state.done // max(1, state.total)
        words = state.message
        if fetching:
            seconds = state.seconds
            bar = Progress(
                state.done, state.total, label="", unit="B", first=state.first, seconds=seconds
            )
            words += f" {bar.figures()}"
        tones: dict[str, Tone] = {"failed": "bad", "loaded": "good"}
        self._said.value = Text(words, tone=tones.get(state.phase, "muted")).html() if words else ""

    def _line(self) -> dict[str, str]:
        line = self._state.line
        if not line:
            return bundle(
                Text("Load does what a line would do; the line will stand here.", tone="muted")
            )
        return bundle(
            Stack([Text("The same as a line, for next time:", tone="muted"), Text(line, mono=True)])
        )

    def _leave_line(self) -> None:
        if self._handle is not None:
            self._handle.update(self._line(), raw=True)


class _Row:
    """One model of the list: a button, its size, and how it fits."""

    def __init__(self, state: Picking, name: str) -> None:
        self._state, self._name = state, name
        self._button = widgets.Button(
            description=name, layout=widgets.Layout(width="330px", flex="0 0 auto")
        )
        self._words = widgets.HTML()
        # In a list that scrolls, rows would shrink to nothing before it does.
        self.root = widgets.HBox(
            [self._button, self._words], layout=widgets.Layout(flex="0 0 auto", min_height="34px")
        )
        self._button.on_click(self._pick)

    def show(self, choice: Choice) -> None:
        """Show what is known of the model now."""
        self._button.tooltip = choice.good_at or choice.name
        self._words.value = _gauge(choice).html()
        self.mark(self._state.name)

    def mark(self, name: str) -> None:
        """Show whether it is the one that is picked."""
        style = "primary" if name and self._name == name else ""
        if self._button.button_style != style:
            self._button.button_style = style

    def _pick(self, _: Any) -> None:
        self._state.name = self._name


def _gauge(choice: Choice) -> Gauge:
    words = choice.advice
    if parameters := count_said(choice.parameters):
        words = f"{parameters} · {words}"
    if choice.license.kind != "open":
        words += f" · {choice.license.kind}"
    if choice.is_here:
        words += f" · {choice.where}"
    fit = choice.fit
    if fit is None:
        return Gauge(None, words, "muted")
    return Gauge(fit.total / max(1, fit.free), words, _tone(fit))


def _tone(fit: Fit) -> Tone:
    if fit.is_comfortable:
        return "good"
    return "normal" if fit.fits else "bad"


def _about(choice: Choice | None) -> Block:
    if choice is None:
        return Text("Click a model to see its licence, what it takes, and why.", tone="muted")
    pairs: list[tuple[str, object]] = [
        ("about", choice.good_at),
        ("licence", choice.license.said),
        ("terms", choice.license.url),
        ("reads", f"{choice.context:,} tokens" if choice.context else ""),
        ("to fetch" if not choice.is_here else "on disk", size(choice.disk_bytes)),
        ("memory", _parts(choice.fit)),
        ("to tune", _tunings(choice)),
        ("why", f"{method_said(choice.best)}: {choice.reason}" if choice.reason else ""),
        ("source", choice.source),
    ]
    blocks: list[Block] = [KeyValue([pair for pair in pairs if pair[1]])]
    if choice.gated and not choice.is_here:
        blocks.append(
            Text("Its makers ask for consent on the hub first; then `hf auth login`.", tone="bad")
        )
    return Card(choice.name, blocks)


def _tunings(choice: Choice) -> str:
    said = "; ".join(f"{way} {tuning_said(fit)}" for way, fit in choice.tunings.items())
    return f"{said} ({rows_said()})" if said else ""


def _parts(fit: Fit | None) -> str:
    if fit is None:
        return ""
    parts = ", ".join(f"{name} {size(amount)}" for name, amount in fit.parts.items())
    return f"{fit.range_said} of {fit.free_said} free ({parts})"


def _method_said(choice: Choice, name: str) -> str:
    fit = choice.fit if name == "auto" else choice.fits[name]
    if fit is None:
        return name
    room = "" if fit.fits else ", does not fit"
    first = f"auto: {method_said(choice.best)}" if name == "auto" else method_said(name)
    return f"{first}, {fit.said}{room}"
