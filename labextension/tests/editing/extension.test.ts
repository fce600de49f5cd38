import { getIndentation, IndentContext } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { describe, expect, it } from 'vitest';

import { templateEditing } from '../../src/editing/extension';

function edited(doc: string): EditorState {
  return EditorState.create({ doc, extensions: [templateEditing()] });
}

/** The indentation of a line that begins at this place. */
function indentation(state: EditorState, place: number): number | null {
  return getIndentation(
    new IndentContext(state, { simulateBreak: place }),
    place
  );
}

describe('templateEditing', () => {
  it('marks lines and words, and follows changes', () => {
    const view = new EditorView({ state: edited('%%prompt\nuser:\n{{ a }}') });
    const lines = (): string[] =>
      [...view.contentDOM.querySelectorAll('.cm-line')].map(
        line => line.className
      );
    expect(lines()).toEqual([
      'cm-line fmagic-magic-line',
      'cm-line fmagic-magic-line fmagic-magic-body',
      'cm-line fmagic-magic-line fmagic-magic-body'
    ]);
    expect(
      view.contentDOM.querySelector('.fmagic-token-role')?.textContent
    ).toBe('user:');
    view.dispatch({ changes: { from: 0, to: 2 } });
    expect(view.contentDOM.querySelector('.fmagic-token')).toBeNull();
    view.destroy();
  });

  it('does not indent after the colon of a role', () => {
    const cell = '%%prompt\nuser:\n  indented';
    const state = edited(cell);
    expect(indentation(state, '%%prompt'.length)).toBe(0);
    expect(indentation(state, '%%prompt\nuser:'.length)).toBe(0);
    expect(indentation(state, cell.length)).toBe(2);
  });

  it('leaves Python alone', () => {
    const state = edited('if x:');
    expect(indentation(state, 5)).toBeNull();
  });
});
