"""The text of a cell to the turns of a conversation.

A template is Jinja2 in its sandbox. A line that is `system:`, `user:` or `assistant:` alone starts a
turn; a text without such lines is one user turn. The source is split into turns before any value
is inserted, and a value is inserted once: what looks like a role line or like `{{ x }}` in a value
stays text. To have a role line as text in the template itself, indent it by a space.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast

from fmagic.errors import TemplateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import jinja2

Role = Literal["system", "user", "assistant"]

_ROLE_LINE = re.compile(r"(system|user|assistant):[ \t]*")
_INLINE_ROLE = re.compile(r"(?:system|user|assistant)\s*:\s*\S")
_INLINE_ANSWER = re.compile(r"assistant:[ \t]*\S")
# What editors and habits make of a role line; one space before it is how it is meant as text.
_NEARLY_ROLE = re.compile(r"[ \t]*(system|user|assistant):[ \t]*", re.IGNORECASE)
_AS_TEXT = re.compile(r" \S.*")
_OPENERS = {
    "variable_begin": ("{{", "}}"),
    "block_begin": ("{%", "%}"),
    "comment_begin": ("{#", "#}"),
    "raw_begin": ("{% raw %}", "{% endraw %}"),
}
_INNERMOST = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_UNDEFINED = re.compile(r"'([^']*)' is undefined")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one role says.

    Attributes:
        role: who says it.
        text: with its values.
        source: before these were inserted: what the author of the template wrote.
    """

    role: Role
    text: str
    source: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """A turn in the source: the lines of its role and of the beginning of its text, from 1."""

    role: Role
    text: str
    line: int
    text_line: int


@dataclass(frozen=True, slots=True)
class _Compiled:
    role: Role
    source: str
    line: int
    text_line: int
    template: jinja2.Template


class Template:
    """A template, parsed once and rendered for many rows.

    Attributes:
        source: the text that was parsed, with line feeds alone as line ends.
        variables: the names in it that a row or a notebook has to give.
        roles: of its turns, in order.
        has_answer: whether it ends with an `assistant:` turn.
    """

    __slots__ = ("_compiled", "has_answer", "roles", "source", "variables")

    def __init__(
        self, source: str, variables: frozenset[str], compiled: tuple[_Compiled, ...]
    ) -> None:
        self.source = source
        self.variables = variables
        self.roles: tuple[Role, ...] = tuple(turn.role for turn in compiled)
        self.has_answer = self.roles[-1] == "assistant"
        self._compiled = compiled

    def __repr__(self) -> str:
        return f"Template(roles={self.roles}, variables={sorted(self.variables)})"

    @classmethod
    def parse(cls, source: str) -> Template:
        """Parse the text of a cell.

        Raises:
            TemplateError: the text or one of its turns is empty, braces or blocks are unbalanced,
                the turns are in an order that no model takes, or the syntax is not Jinja's.
        """
        source = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        if not source.strip():
            raise TemplateError("The template is empty. Write what the model is to read.")
        parts = _split(source)
        environment = _environment()
        variables: set[str] = set()
        compiled = []
        for part in parts:
            names, template = _compile(environment, part, parts)
            variables |= names
            compiled.append(_Compiled(part.role, part.text, part.line, part.text_line, template))
        _check_order(parts, source)
        return cls(source, frozenset(variables), tuple(compiled))

    def render(self, values: Mapping[str, object]) -> tuple[Turn, ...]:
        """Insert values, each once, and return the turns.

        A system turn that comes out blank is left out. Half of a character (a lone surrogate, as
        texts have that were cut in the middle of an emoji) becomes the replacement character.

        Raises:
            TemplateError: a name is not among the values, a user turn comes out blank, or an
                expression of the template fails.
        """
        turns = []
        for part in self._compiled:
            text = whole(self._render_part(part, values))
            if not text.strip():
                if part.role == "system":
                    continue
                if part.role == "user":
                    raise TemplateError(
                        f"With these values the user turn of line {part.line} is empty. "
                        "Leave such rows out, or add to the template what the model is to do."
                    )
            turns.append(Turn(part.role, text, part.source))
        return tuple(turns)

    def near_answer(self) -> str:
        """Say what keeps a line that looks like `assistant:` from being one; nothing, if none does."""
        for number, line in enumerate(self.source.split("\n"), start=1):
            if _INLINE_ANSWER.match(line):
                return (
                    f"text follows `assistant:` in line {number}: a role must stand alone on its "
                    "line"
                )
            if "assistant" in line.lower() and (slip := _slip(line)):
                return f"line {number} {slip}"
        return ""

    def uses_none(self, columns: Sequence[str], name: str) -> str:
        """Say that a template uses no column of a table, and how it would."""
        said = f"The template uses no column of {name}, so each row would be asked the same."
        for column in columns:
            if f"{{{column}}}" in self.source:
                return f"{said} {{{column}}} is text: write {{{{ {column} }}}}."
        listed = ", ".join(columns[:12])
        return f"{said} {{{{ {columns[0]} }}}} inserts the value of a row; there is {listed}."

    def without_answer(self) -> Template:
        """Return the template without the assistant turn at its end, to prompt with it.

        Raises:
            TemplateError: it does not end with one.
        """
        if not self.has_answer:
            raise TemplateError("The template does not end with an `assistant:` turn.")
        lines = self.source.split("\n")[: self._compiled[-1].line - 1]
        return Template.parse("\n".join(lines))

    def _render_part(self, part: _Compiled, values: Mapping[str, object]) -> str:
        import jinja2

        try:
            return part.template.render(values)
        except TemplateError as error:
            raise TemplateError(f"{_line_of(error, part)}: {error}") from None
        except jinja2.UndefinedError as error:
            place = _line_of(error, part)
            message = error.message or ""
            found = _UNDEFINED.fullmatch(message)
            if found and found[1] in self.variables:
                name = found[1]
                defined = ", ".join(list(values)[:12]) or "nothing"
                hint = did_you_mean(name, values) or f" Defined: {defined}."
                raise TemplateError(f"{place}: {{{{ {name} }}}} is not defined.{hint}") from None
            raise TemplateError(f"{place}: {message}.") from None
        except jinja2.TemplateError as error:
            message = str(error).rstrip(".")
            raise TemplateError(f"{_line_of(error, part)}: {message}.") from None
        except Exception as error:
            # An expression in a template may raise anything that Python can.
            raise TemplateError(
                f"{_line_of(error, part)}: {type(error).__name__}: {error}."
            ) from error


def _environment() -> jinja2.Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        finalize=_insertable,
    )
    # A name that is called may be a function, see `_compile`; any other has to be a value.
    environment.globals.clear()
    # Jinja's own escapes <, > and & for HTML, which a model would read as \u003c.
    environment.filters["tojson"] = _to_json
    environment.tests["none"] = lambda value: _defined(value) is None
    return environment


def _insertable(value: object) -> object:
    """Return what is to be inserted; a function or a module is no text, but a slip.

    Raises:
        TemplateError: it is one.
    """
    from jinja2 import Undefined
    from jinja2.runtime import TemplateReference

    if isinstance(value, TemplateReference):
        raise TemplateError("`self` is a word of the template language. Give it another name.")
    if isinstance(value, ModuleType) or (callable(value) and not isinstance(value, Undefined)):
        name = getattr(value, "__name__", type(value).__name__)
        called = f" To insert what it returns, call it: {name}()." if callable(value) else ""
        kind = "function" if callable(value) else "module"
        raise TemplateError(f"{name} is a {kind}, not a text.{called}")
    return value


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(_defined(value), ensure_ascii=False, indent=indent)


def _defined(value: object) -> object:
    """Return a value; a name that has none raises what it raises where it is inserted."""
    from jinja2 import Undefined

    return str(value) if isinstance(value, Undefined) else value


def whole(text: str) -> str:
    """Return a text with the replacement character for each lone surrogate: it has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _slip(line: str) -> str:
    """Say what is wrong with a line that is nearly a role line; nothing, if it is none."""
    if _ROLE_LINE.fullmatch(line) or _AS_TEXT.fullmatch(line) or not _NEARLY_ROLE.fullmatch(line):
        return ""
    what = "is indented" if line[0].isspace() else "has a capital letter"
    role = line.strip().lower()
    return (
        f"({line.strip()!r}) {what}, and so is text: a role stands at the beginning of its line in "
        f"small letters, {role!r}. To have it as text, put one space before it"
    )


def _split(source: str) -> list[_Part]:
    # Nobody sees blank lines at the end of a cell.
    lines = source.split("\n")
    while not lines[-1].strip():
        lines.pop()
    places = [i for i, line in enumerate(lines) if _ROLE_LINE.fullmatch(line)]
    if not places:
        first = next(i for i, line in enumerate(lines) if line.strip())
        if slip := _slip(lines[first]):
            raise TemplateError(f"Line {first + 1} {slip}.")
        inline = [line for line in lines if _INLINE_ROLE.match(line)]
        if lines[first] in inline and len(inline) > 1:
            raise TemplateError(
                f"Text follows `{inline[0].partition(':')[0]}:` in line {first + 1}: a role stands "
                "alone on its line, with its text below. To have it as text, put one space before it."
            )
        text_line = 2 if source.startswith("\n") else 1
        return [_Part("user", _trimmed(lines), 1, text_line)]
    for number, line in enumerate(lines[: places[0]], start=1):
        if line.strip():
            role = lines[places[0]].strip()
            slip = _slip(line)
            if slip:
                raise TemplateError(f"Line {number} {slip}.")
            raise TemplateError(
                f"Line {number} stands before the first role line ({role!r} in line "
                f"{places[0] + 1}). Put it under a line of its own: system:, user: or assistant:."
            )
    parts = []
    for place, end in zip(places, [*places[1:], len(lines)], strict=True):
        body = lines[place + 1 : end]
        # One blank line after the role line is layout.
        text_line = place + 2 + (len(body) > 1 and not body[0])
        role = cast("Role", lines[place].strip()[:-1])
        parts.append(_Part(role, _trimmed(body), place + 1, text_line))
    return parts


def _trimmed(lines: list[str]) -> str:
    return "\n".join(lines).removeprefix("\n").removesuffix("\n")


def _check_order(parts: list[_Part], source: str) -> None:
    for number, part in enumerate(parts):
        if not part.text.strip():
            advice = (
                "Leave the line out: the model's answer starts at the end anyway."
                if part.role == "assistant" and number == len(parts) - 1
                else "Write its text below the line, or leave the line out."
            )
            raise TemplateError(f"The {part.role} turn of line {part.line} is empty. {advice}")
        if part.role == "system" and number:
            raise TemplateError(
                f"Line {part.line}: a system turn can only come first. Move it to the top."
            )
    roles = [part.role for part in parts]
    if "user" not in roles or roles[0] == "assistant" or roles[:2] == ["system", "assistant"]:
        lines = enumerate(source.split("\n"), start=1)
        slip = next(
            (f" Line {number} {slip}." for number, line in lines if (slip := _slip(line))), ""
        )
        raise TemplateError(
            "The template has no user turn for the model to answer. Put what is asked under a "
            f"line `user:`, before any `assistant:`.{slip}"
        )


def _compile(
    environment: jinja2.Environment, part: _Part, parts: list[_Part]
) -> tuple[set[str], jinja2.Template]:
    """Return the names that a turn needs, and the turn ready to render."""
    from jinja2 import TemplateSyntaxError, meta, nodes
    from jinja2.sandbox import safe_range
    from jinja2.utils import Namespace

    try:
        tree = environment.parse(part.text)
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise TemplateError(
                f"Line {part.text_line + node.lineno - 1}: a template cannot read other files "
                f"({type(node).__name__.lower()}). Put the text here, or use a saved template."
            )
        called = {
            node.node.name
            for node in tree.find_all(nodes.Call)
            if isinstance(node.node, nodes.Name)
        }
        # A value of the same name takes the place of a function.
        functions = {"range": safe_range, "namespace": Namespace}
        names = meta.find_undeclared_variables(tree) - (called & functions.keys())
        return names, environment.from_string(tree, globals=functions)
    except TemplateSyntaxError as error:
        raise TemplateError(_explain(environment, error, part, parts)) from None


def _explain(
    environment: jinja2.Environment,
    error: jinja2.TemplateSyntaxError,
    part: _Part,
    parts: list[_Part],
) -> str:
    """Say what Jinja objects to, with the line where the trouble begins."""
    first = part.text_line - 1
    message = (error.message or "").rstrip(".")
    opening, blocks = _open_ends(environment, part.text)
    if opening is not None:
        token, line = opening
        begin, end = _OPENERS[token]
        literal = f' To have {begin} as text, write {{{{ "{begin}" }}}}.' if len(begin) == 2 else ""  # noqa: PLR2004 - a delimiter, not a tag
        return f"Line {first + line}: {begin} has no matching {end} ({message}).{literal}"
    innermost = _INNERMOST.search(message)
    if innermost:
        line = next((at for name, at in reversed(blocks) if name == innermost[1]), error.lineno)
        following = next((other for other in parts if other.line > part.line), None)
        where = (
            f"before the line {following.role}: (line {following.line})"
            if following
            else "before the end"
        )
        return (
            f"Line {first + line}: the block {{% {innermost[1]} %}} is not closed {where}. "
            f"A block ends, with {{% end{innermost[1]} %}}, in the turn in which it begins."
        )
    if message.startswith("Encountered unknown tag 'end"):
        message += "; it closes no block of its turn"
    elif "expected token 'end of print statement'" in message:
        message += "; a name with spaces or signs cannot be used, rename the column"
    return f"Line {first + error.lineno}: {message}."


def _open_ends(
    environment: jinja2.Environment, text: str
) -> tuple[tuple[str, int] | None, list[tuple[str, int]]]:
    """Return the delimiter that is open at the end or at an error, and the blocks that are open."""
    from jinja2 import TemplateSyntaxError

    opening: tuple[str, int] | None = None
    blocks: list[tuple[str, int]] = []
    tag_follows = False
    try:
        for line, token, value in environment.lex(text):
            if token in _OPENERS:
                opening, tag_follows = (token, line), token == "block_begin"  # noqa: S105 - of Jinja
            elif token.endswith("_end"):
                opening = None
            elif tag_follows and token == "name":  # noqa: S105 - of Jinja
                tag_follows = False
                if not value.startswith("end"):
                    blocks.append((value, line))
                elif value[3:] in [name for name, _ in blocks]:
                    while blocks.pop()[0] != value[3:]:
                        continue
    except TemplateSyntaxError as error:
        if opening is None:
            # A comment or raw block without its end is refused as one token.
            opening = ("comment_begin" if "comment" in str(error) else "raw_begin", error.lineno)
    return opening, blocks


def _line_of(error: BaseException, part: _Compiled) -> str:
    """Return the line of the cell at which rendering failed, as far as Jinja tells it."""
    trace: Any = error.__traceback__
    line = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"Line {part.text_line + line - 1}"
