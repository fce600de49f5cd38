/** What is typed and chosen above the list of runs. */

import { words } from '../log/formats';
import { type Query, SORT_FIELDS, valuesOf } from '../log/query';
import type { RunRecord } from '../log/record';
import { h } from './dom';

type Choices = readonly (readonly [value: string, label: string])[];

export class Controls {
  readonly node: HTMLElement;

  constructor(
    private _query: Query,
    private readonly _changed: (query: Query) => void
  ) {
    this._search = h('input', {
      class: 'jp-mod-styled fmagic-search',
      attrs: {
        type: 'search',
        placeholder: 'Search: words, ids, tags',
        'aria-label': 'Search the runs',
        spellcheck: 'false'
      }
    });
    this._kind = picker('Kind');
    this._status = picker('Status');
    this._sort = picker('Sort by');
    this._order = h('button', { class: 'fmagic-select fmagic-order' });
    this._showOrder();
    this.node = h(
      'div',
      { class: 'fmagic-controls' },
      this._search,
      h('div', { class: 'fmagic-pickers' }, this._kind, this._status),
      h('div', { class: 'fmagic-pickers' }, this._sort, this._order)
    );
    this._search.addEventListener('input', () => {
      this._set({ text: this._search.value });
    });
    this._kind.addEventListener('change', () => {
      this._set({ kind: this._kind.value });
    });
    this._status.addEventListener('change', () => {
      this._set({ status: this._status.value });
    });
    this._sort.addEventListener('change', () => {
      this._set({ sort: this._sort.value });
    });
    this._order.addEventListener('click', () => {
      this._set({ ascending: !this._query.ascending });
      this._showOrder();
    });
  }

  focus(): void {
    this._search.focus();
  }

  /** Offer what these runs have. */
  update(
    records: readonly RunRecord[],
    metrics: readonly string[],
    options: readonly string[]
  ): void {
    const { kind, status, sort } = this._query;
    const kinds = valuesOf(records, 'kind').map(each => [each, each] as const);
    const statuses = valuesOf(records, 'status').map(
      each => [each, each] as const
    );
    fill(this._kind, kind, { '': [['', 'every kind'], ...kinds] });
    fill(this._status, status, { '': [['', 'every status'], ...statuses] });
    fill(this._sort, sort, {
      '': SORT_FIELDS,
      Figures: metrics.map(name => [name, words(name)]),
      Options: options.map(name => [name, words(name)])
    });
  }

  private _set(change: Partial<Query>): void {
    this._query = { ...this._query, ...change };
    this._changed(this._query);
  }

  private _showOrder(): void {
    const said = this._query.ascending ? 'Smallest first' : 'Largest first';
    this._order.textContent = this._query.ascending ? '↑' : '↓';
    this._order.title = said;
    this._order.setAttribute('aria-label', said);
  }

  private readonly _search: HTMLInputElement;
  private readonly _kind: HTMLSelectElement;
  private readonly _status: HTMLSelectElement;
  private readonly _sort: HTMLSelectElement;
  private readonly _order: HTMLButtonElement;
}

function picker(label: string): HTMLSelectElement {
  return h('select', {
    class: 'fmagic-select',
    title: label,
    attrs: { 'aria-label': label }
  });
}

/** Fill a list of choices, unless it is what it was: an open one must not be disturbed. */
function fill(
  select: HTMLSelectElement,
  value: string,
  groups: Readonly<Record<string, Choices>>
): void {
  const state = JSON.stringify(groups);
  if (select.dataset['state'] !== state) {
    select.dataset['state'] = state;
    select.replaceChildren(
      ...Object.entries(groups).flatMap(([label, choices]) => {
        const made = choices.map(([each, name]) => {
          const option = h('option', {}, name);
          option.value = each;
          return option;
        });
        return label && made.length > 0
          ? [h('optgroup', { attrs: { label } }, ...made)]
          : made;
      })
    );
  }
  if (![...select.options].some(option => option.value === value)) {
    // What is asked for is asked for, though no run here has it.
    const option = h('option', {}, words(value));
    option.value = value;
    select.append(option);
    delete select.dataset['state'];
  }
  select.value = value;
}
