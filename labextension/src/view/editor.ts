/** The fields in which tags and note of a run are changed. */

import type { RunRecord } from '../log/record';
import { h } from './dom';

export interface Edited {
  readonly tags: readonly string[];
  readonly note: string;
}

/** Tags and note of one run; what was changed is saved when the field is left. */
export class Editor {
  readonly node: HTMLElement;

  /**
   * @param save - takes what was changed.
   * @param locked - why nothing can be changed, `null` if it can.
   */
  constructor(save: (edited: Edited) => void, locked: string | null = null) {
    const disabled = locked === null ? null : '';
    this._tags = h('input', {
      class: 'jp-mod-styled',
      attrs: {
        type: 'text',
        placeholder: 'baseline best',
        spellcheck: 'false',
        disabled
      }
    });
    this._note = h('textarea', {
      class: 'jp-mod-styled',
      attrs: { rows: '2', dir: 'auto', disabled }
    });
    this._said = h('div', { class: 'fmagic-said', attrs: { role: 'status' } });
    this._said.textContent = locked ?? '';
    this.node = h(
      'div',
      { class: 'fmagic-editor' },
      h('label', {}, h('span', {}, 'Tags'), this._tags),
      h('label', {}, h('span', {}, 'Note'), this._note),
      this._said
    );
    const done = (): void => {
      save({ tags: parseTags(this._tags.value), note: this._note.value });
      this._said.textContent = 'Saved in the notebook.';
    };
    this._tags.addEventListener('change', done);
    this._note.addEventListener('change', done);
    this._note.addEventListener('keydown', event => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        this._note.blur();
      }
    });
  }

  /** Show what a run has; a field in which something is being typed is left alone. */
  update(record: RunRecord): void {
    set(this._tags, (record.tags ?? []).join(' '));
    set(this._note, record.note ?? '');
  }

  private readonly _tags: HTMLInputElement;
  private readonly _note: HTMLTextAreaElement;
  private readonly _said: HTMLElement;
}

/** The tags in what was typed: single words, each once, as `%runs tag` takes them. */
export function parseTags(text: string): string[] {
  const found = text
    .split(/[\s,]+/)
    .map(tag => tag.replace(/^#+/, ''))
    .filter(Boolean);
  return [...new Set(found)];
}

function set(
  field: HTMLInputElement | HTMLTextAreaElement,
  value: string
): void {
  if (field !== document.activeElement && field.value !== value) {
    field.value = value;
  }
}
