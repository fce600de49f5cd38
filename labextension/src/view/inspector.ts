/** What stands below the list: one run whole, or several beside each other. */

import { children } from '../log/lineage';
import { type RunRecord, shortId } from '../log/record';
import { statusMark } from './card';
import { comparison } from './comparison';
import { pairs, section, sections } from './detail';
import { h } from './dom';
import { type Edited, editor } from './editor';

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
  readonly node = h('div', { class: 'fmagic-inspector' });

  constructor(private readonly _actions: Actions) {
    this.node.hidden = true;
    this.node.dataset['lmSuppressShortcuts'] = 'true';
  }

  clear(): void {
    this._shown = '';
    this.node.hidden = true;
    this.node.replaceChildren();
  }

  /** Show a run; what is being typed is left alone. */
  show(record: RunRecord, around: Around): void {
    const state = JSON.stringify([record, around.stale, around.locked]);
    const isTyping =
      this._id === record.id && this.node.contains(document.activeElement);
    if (state === this._shown || isTyping) {
      return;
    }
    const same = this._id === record.id;
    this._shown = state;
    this._id = record.id;
    const go = this._button('Go to cell', () => {
      this._actions.goTo(record.id);
    });
    this._fill(
      [
        statusMark(record.status),
        h('strong', {}, record.kind),
        h('code', { title: record.id }, shortId(record.id)),
        go
      ],
      [
        around.stale.length > 0 &&
          h('p', { class: 'fmagic-bad' }, `Stale: ${around.stale.join(', ')}.`),
        editor(
          record,
          edited => {
            this._actions.save(record.id, edited);
          },
          around.locked
        ),
        ...this._users(record, around.records),
        ...sections(record, id => this._link(id, around.records))
      ],
      same
    );
  }

  /** Show runs beside each other. */
  compare(records: readonly RunRecord[]): void {
    const state = JSON.stringify(records);
    if (state === this._shown) {
      return;
    }
    this._shown = state;
    this._id = '';
    this._fill(
      [h('strong', {}, `Comparing ${records.length} runs`)],
      [comparison(records)],
      true
    );
  }

  private _fill(
    head: Node[],
    content: (Node | false)[],
    keepsPlace: boolean
  ): void {
    const top = keepsPlace ? (this.node.lastElementChild?.scrollTop ?? 0) : 0;
    const close = this._button('✕', () => {
      this._actions.close();
    });
    close.setAttribute('aria-label', 'Close');
    close.classList.add('fmagic-close');
    const inside = h('div', { class: 'fmagic-inside' }, ...content);
    this.node.replaceChildren(
      h('div', { class: 'fmagic-inspector-head' }, ...head, close),
      inside
    );
    this.node.hidden = false;
    inside.scrollTop = top;
  }

  private _users(
    record: RunRecord,
    records: readonly RunRecord[]
  ): HTMLElement[] {
    const used = children(record, records);
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

  private _shown = '';
  private _id = '';
}
