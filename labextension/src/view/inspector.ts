/** What stands below the list: one run whole, or several beside each other. */

import { children } from '../log/lineage';
import { type RunRecord, shortId } from '../log/record';
import { statusMark } from './card';
import { comparison } from './comparison';
import { pairs, section, sections } from './detail';
import { h } from './dom';
import { type Edited, Editor } from './editor';

interface Actions {
  save(id: string, edited: Edited): void;
  goTo(id: string): void;
  select(id: string): void;
  close(): void;
}

interface Around {
  readonly stale: readonly string[];
  readonly records: readonly RunRecord[];
  /** Why tags and note cannot be changed. */
  readonly locked: string | null;
}

export class Inspector {
  readonly node: HTMLElement;

  constructor(private readonly _actions: Actions) {
    this._inside = h(
      'div',
      { class: 'fmagic-inside' },
      this._above,
      this._slot,
      this._below
    );
    const close = this._button('✕', () => {
      this._actions.close();
    });
    close.setAttribute('aria-label', 'Close');
    close.classList.add('fmagic-close');
    this.node = h(
      'div',
      {
        class: 'fmagic-inspector',
        attrs: { 'data-lm-suppress-shortcuts': 'true' }
      },
      h('div', { class: 'fmagic-inspector-head' }, this._head, close),
      this._inside
    );
    this.node.hidden = true;
  }

  clear(): void {
    this._shown = '';
    this._setEditor(null);
    this.node.hidden = true;
  }

  /** Show a run. Where it stands there already, the fields stay as they are being edited. */
  show(record: RunRecord, around: Around): void {
    const { tags: _, note: __, edited: ___, ...rest } = record;
    const used = children(record, around.records);
    const state = JSON.stringify([
      rest,
      around.stale,
      around.locked,
      used.map(each => each.id)
    ]);
    if (state !== this._shown) {
      this._shown = state;
      this._place(record, around, used);
    }
    this._editor?.editor.update(record);
  }

  /** Show runs beside each other. */
  compare(records: readonly RunRecord[]): void {
    const state = JSON.stringify(records);
    if (state === this._shown) {
      return;
    }
    this._shown = state;
    this._setEditor(null);
    this._fill(
      [h('strong', {}, `Comparing ${records.length} runs`)],
      [],
      [comparison(records)]
    );
  }

  private _place(
    record: RunRecord,
    around: Around,
    used: readonly RunRecord[]
  ): void {
    const key = `${record.id} ${around.locked ?? ''}`;
    if (this._editor?.key !== key) {
      const save = (edited: Edited): void => {
        this._actions.save(record.id, edited);
      };
      this._setEditor({ key, editor: new Editor(save, around.locked) });
    }
    const go = this._button('Go to cell', () => {
      this._actions.goTo(record.id);
    });
    const { stale } = around;
    this._fill(
      [
        statusMark(record.status),
        h('strong', {}, record.kind),
        h('code', { title: record.id }, shortId(record.id)),
        go
      ],
      stale.length > 0
        ? [h('p', { class: 'fmagic-bad' }, `Stale: ${stale.join(', ')}.`)]
        : [],
      [
        ...this._users(used, around.records),
        ...sections(record, id => this._link(id, around.records))
      ]
    );
  }

  /** Put the fields of another run there; those of the same one are never taken off the page. */
  private _setEditor(editor: Inspector['_editor']): void {
    this._editor = editor;
    this._slot.replaceChildren(...(editor ? [editor.editor.node] : []));
    this._inside.scrollTop = 0;
  }

  private _fill(head: Node[], above: Node[], below: Node[]): void {
    this._head.replaceChildren(...head);
    this._above.replaceChildren(...above);
    this._below.replaceChildren(...below);
    this.node.hidden = false;
  }

  private _users(
    used: readonly RunRecord[],
    records: readonly RunRecord[]
  ): HTMLElement[] {
    if (used.length === 0) {
      return [];
    }
    const links = used.flatMap(each => [this._link(each.id, records), ' ']);
    return [section('Used by', pairs([['runs', h('span', {}, ...links)]]))];
  }

  private _link(id: string, records: readonly RunRecord[]): Node {
    const record = records.find(each => each.id === id);
    if (!record) {
      return h(
        'code',
        { title: `${id}, which is not in this log` },
        shortId(id)
      );
    }
    const button = this._button(`${record.kind} ${shortId(id)}`, () => {
      this._actions.select(id);
    });
    button.classList.add('fmagic-link');
    return button;
  }

  private _button(label: string, act: () => void): HTMLButtonElement {
    const button = h(
      'button',
      { class: 'fmagic-button', attrs: { type: 'button' } },
      label
    );
    button.addEventListener('click', act);
    return button;
  }

  private readonly _head = h('div', { class: 'fmagic-inspector-title' });
  private readonly _above = h('div');
  private readonly _below = h('div');
  private readonly _slot = h('div');
  private readonly _inside: HTMLElement;
  private _shown = '';
  private _editor: { readonly key: string; readonly editor: Editor } | null =
    null;
}
