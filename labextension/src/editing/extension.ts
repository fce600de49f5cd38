/** Colours in the cells of fmagic, over those of Python. */

import { indentService } from '@codemirror/language';
import type { EditorState, Extension, Range } from '@codemirror/state';
import { Prec, StateField } from '@codemirror/state';
import type { DecorationSet } from '@codemirror/view';
import { Decoration, EditorView } from '@codemirror/view';

import type { Kind, Markup } from './tokens';
import { markup } from './tokens';

const LINE = Decoration.line({ class: 'fmagic-magic-line' });
const BODY = Decoration.line({ class: 'fmagic-magic-line fmagic-magic-body' });
const MARKS: Readonly<Record<Kind, Decoration>> = {
  magic: mark('magic'),
  option: mark('option'),
  value: mark('value'),
  text: mark('text'),
  role: mark('role'),
  brace: mark('brace'),
  expression: mark('expression'),
  string: mark('string'),
  keyword: mark('keyword'),
  comment: mark('comment')
};

interface Shown {
  readonly markup: Markup;
  readonly decorations: DecorationSet;
}

const shown = StateField.define<Shown>({
  create: state => show(state),
  update: (value, transaction) =>
    transaction.docChanged ? show(transaction.state) : value,
  provide: field =>
    EditorView.decorations.from(field, value => value.decorations)
});

/**
 * Colours, and lines that begin where the one above does: Python would indent what follows the
 * colon of `user:`.
 */
export function templateEditing(): Extension {
  return [
    shown,
    Prec.highest(
      indentService.of((context, place) => {
        const body = context.state.field(shown, false)?.markup.body;
        if (!body) {
          return undefined;
        }
        return place < body.from ? 0 : context.lineIndent(place, -1);
      })
    )
  ];
}

function show(state: EditorState): Shown {
  const found = markup(state.doc.toString());
  return { markup: found, decorations: decorate(state, found) };
}

function decorate(state: EditorState, found: Markup): DecorationSet {
  const ranges: Range<Decoration>[] = found.magicLines.map(from =>
    LINE.range(from)
  );
  if (found.body) {
    // The text begins in the line after that of the magic, if there is one.
    const first = state.doc.lineAt(found.magicLines[0] ?? 0).number + 1;
    for (let number = first; number <= state.doc.lines; number += 1) {
      ranges.push(BODY.range(state.doc.line(number).from));
    }
  }
  for (const { from, to, kind } of found.tokens) {
    ranges.push(MARKS[kind].range(from, to));
  }
  return Decoration.set(ranges, true);
}

function mark(kind: Kind): Decoration {
  return Decoration.mark({ class: `fmagic-token fmagic-token-${kind}` });
}
