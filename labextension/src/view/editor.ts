/** The fields in which tags and note of a run are changed. */

import type { RunRecord } from '../log/record';
import { h } from './dom';

export interface Edited {
  readonly tags: readonly string[];
  readonly note: string;
}

/**
 * Return the fields; `save` is called when one was changed and left.
 *
 * @param isLocked - why nothing can be changed, `null` if it can.
 */
export function editor(
  record: RunRecord,
  save: (edited: Edited) => void,
  isLocked: string | null = null
): HTMLElement {
  const disabled = isLocked === null ? null : '';
  const tags = h('input', {
    class: 'jp-mod-styled',
    attrs: {
      type: 'text',
      placeholder: 'baseline best',
      spellcheck: 'false',
      disabled
    }
  });
  tags.value = (record.tags ?? []).join(' ');
  const note = h('textarea', {
    class: 'jp-mod-styled',
    attrs: { rows: '2', dir: 'auto', disabled }
  });
  note.value = record.note ?? '';
  const said = h('div', {
    class: 'fmagic-said',
    attrs: { role: 'status' }
  });
  said.textContent = isLocked ?? '';
  const done = (): void => {
    save({ tags: parseTags(tags.value), note: note.value });
    said.textContent = 'Saved in the notebook.';
  };
  tags.addEventListener('change', done);
  note.addEventListener('change', done);
  note.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      note.blur();
    }
  });
  return h(
    'div',
    { class: 'fmagic-editor' },
    h('label', {}, h('span', {}, 'Tags'), tags),
    h('label', {}, h('span', {}, 'Note'), note),
    said
  );
}

/** The tags in what was typed: single words, each once, as `%runs tag` takes them. */
export function parseTags(text: string): string[] {
  const found = text
    .split(/[\s,]+/)
    .map(tag => tag.replace(/^#+/, ''))
    .filter(Boolean);
  return [...new Set(found)];
}
