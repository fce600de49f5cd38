"""A template and a table become prompts; options become what operations take."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from fmagic.data import OnMissing, open_rows, require
from fmagic.errors import DataError, OptionError, TemplateError, did_you_mean
from fmagic.template import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fmagic.data import Rows
    from fmagic.template import Template, Turn


def fill(
    template: Template,
    data: object,
    *,
    variables: Mapping[str, object],
    name: str | None = None,
    on_missing: str = "error",
    adds: Sequence[str] = (),
) -> tuple[Rows | None, list[tuple[Turn, ...] | None]]:
    """Fill a template once, or for each row of a table.

    Args:
        template: with its variables.
        data: a table, or `None` to fill it once.
        variables: for names that are no column.
        name: of the table.
        on_missing: what becomes of rows with `None` or `NaN` in a column that the template uses:
            `error` refuses the table, `skip` leaves their place empty, `keep` inserts them.
        adds: columns that the result will have beside those of the table.

    Returns:
        The table, if there is one, and the turns of each prompt (`None` where skipped).
    """
    if on_missing not in get_args(OnMissing):
        raise OptionError(
            f"on_missing takes {', '.join(get_args(OnMissing))}, not {on_missing!r}."
            f"{did_you_mean(on_missing, get_args(OnMissing))}"
        )
    if data is None:
        return None, [template.render(variables)]
    rows = open_rows(data, name=name)
    rows.must_lack(adds)
    used = [column for column in rows.columns if column in template.variables]
    if not used and template.variables <= variables.keys():
        raise TemplateError(template.uses_none(rows.columns, rows.name))
    kept = require(rows, used, cast("OnMissing", on_missing))
    known = {key: value for key, value in variables.items() if key not in rows.columns}
    others = {key: known[key] for key in template.variables if key in known}
    prompts: list[tuple[Turn, ...] | None] = []
    for number in range(len(rows)):
        if number not in kept:
            prompts.append(None)
            continue
        try:
            prompts.append(template.render({**rows[number], **others}))
        except TemplateError:
            # Once more with all that the user has: the message then finds the names that are near.
            try:
                template.render({**rows[number], **known})
            except TemplateError as error:
                raise TemplateError(f"Row {number + 1:,} of {rows.name}: {error}") from None
            raise
    return rows, prompts


def texts_of(rows: Rows, column: str | None) -> list[str]:
    """Return the texts of a column; of the only one, if none is named.

    Raises:
        DataError: no such column, or cells that are missing or no text.
    """
    if column is None:
        if len(rows.columns) > 1:
            raise DataError(
                f"{rows.name} has {len(rows.columns)} columns ({', '.join(rows.columns[:12])}): "
                "say which holds the texts with --text COLUMN."
            )
        column = rows.columns[0]
    values = rows.column(column)
    require(rows, [column], option=False)
    wrong = next((i for i, value in enumerate(values) if not isinstance(value, str)), None)
    if wrong is not None:
        raise DataError(
            f"Column {column} of {rows.name} holds {type(values[wrong]).__name__} in row "
            f"{wrong + 1:,}, and texts are needed. Convert it, for example with .astype(str)."
        )
    return [whole(value) for value in cast("list[str]", values)]


def checked_choices(choices: Sequence[object]) -> tuple[str, ...]:
    """Return the choices as texts without surrounding space; a text is split at its commas.

    Raises:
        OptionError: an empty or a single choice, or one that stands twice.
    """
    given = choices.split(",") if isinstance(choices, str) and choices else choices
    kept = tuple(str(choice).strip() for choice in given)
    if kept and (len(set(kept)) < max(2, len(kept)) or "" in kept):
        raise OptionError(
            f"--choices takes at least two different answers, such as positive,negative; "
            f"got {', '.join(map(repr, kept))}."
        )
    return kept
