/** The experiments panel: the runs of the current notebook. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Debouncer } from '@lumino/polling';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { number } from '../log/formats';
import {
  EVERYTHING,
  metricNames,
  optionNames,
  type Query,
  select
} from '../log/query';
import type { RunRecord } from '../log/record';
import { Controls } from '../view/controls';
import { h } from '../view/dom';
import { Inspector } from '../view/inspector';
import { row, rowHeight, rowId } from '../view/row';
import { VirtualList } from '../view/virtual';
import { NotebookLog } from './log';
import { reveal } from './reveal';

export const PANEL_ID = 'fmagic-experiments';
const PAUSE = 500; // milliseconds after typing in the notebook
const PAGE = 10; // rows

/** Lists, finds, compares and annotates runs. Hidden, it does nothing. */
export class ExperimentsPanel extends Widget {
  constructor(private readonly _tracker: INotebookTracker) {
    super();
    this.id = PANEL_ID;
    this.addClass('fmagic-panel');
    this.title.caption = 'Experiments: the runs of this notebook';
    this._controls = new Controls(EVERYTHING, query => {
      this._query = query;
      this._list.node.scrollTop = 0;
      this._refresh();
    });
    this._list = new VirtualList<RunRecord>({
      height: rowHeight,
      render: (record, place) =>
        row(
          {
            record,
            stale: this._stale.get(record.id) ?? [],
            isCurrent: record.id === this._current,
            isChecked: this._checked.has(record.id),
            sort: this._query.sort
          },
          place,
          this._list.items.length
        )
    });
    this._inspector = new Inspector({
      save: (id, edited) => {
        this._log?.annotate(id, edited);
      },
      goTo: id => {
        void this._goTo(id);
      },
      select: id => {
        this._setCurrent(id);
      },
      close: () => {
        this._checked.clear();
        this._setCurrent(null);
        this._list.node.focus();
      }
    });
    this._message = h('div', { class: 'fmagic-message' });
    this._listen();
    this.node.append(
      this._controls.node,
      this._message,
      this._list.node,
      this._inspector.node
    );
    this._tracker.currentChanged.connect(this._follow, this);
  }

  override dispose(): void {
    this._tracker.currentChanged.disconnect(this._follow, this);
    this._follow(null, null);
    this._later.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._follow(null, this._tracker.currentWidget);
    this._refresh();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._controls.focus();
  }

  private _follow(_: unknown, panel: NotebookPanel | null): void {
    const log = panel && !panel.isDisposed ? NotebookLog.of(panel) : null;
    if (log === this._log) {
      return;
    }
    this._log?.changed.disconnect(this._onChanged, this);
    this._log?.panel.content.model?.contentChanged.disconnect(
      this._onTyped,
      this
    );
    this._log = log;
    this._checked.clear();
    this._current = null;
    log?.changed.connect(this._onChanged, this);
    // Where the source of a cell changes, its runs become stale.
    log?.panel.content.model?.contentChanged.connect(this._onTyped, this);
    this._refresh();
  }

  private _onChanged(): void {
    this._refresh();
  }

  private _onTyped(): void {
    if (this.isVisible) {
      void this._later.invoke();
    }
  }

  private _refresh(): void {
    if (!this.isVisible || this.isDisposed) {
      return;
    }
    const records = this._log?.records ?? [];
    this._stale = this._log?.stale() ?? new Map();
    const found = select(records, this._query);
    this._controls.update(records, metricNames(records), optionNames(records));
    this._list.update(found);
    this._tellState(records.length, found.length);
    this._inspect();
    this._markCurrent();
  }

  private _tellState(all: number, found: number): void {
    const dropped = this._log?.dropped?.runs ?? 0;
    const older =
      dropped > 0
        ? ` The notebook's log keeps the latest; ${number(dropped)} older ones were dropped from it.`
        : '';
    let said: string;
    if (!this._log) {
      said = 'Open a notebook to see its runs.';
    } else if (all === 0) {
      said = 'No runs yet. A cell with %%prompt makes one.';
    } else if (found === 0) {
      said = 'No run matches.';
    } else {
      const count = all === 1 ? '1 run' : `${number(all)} runs`;
      said =
        found === all ? `${count}.${older}` : `${number(found)} of ${count}.`;
    }
    this._message.textContent = said;
    this._controls.node.hidden = all === 0;
    this._list.node.hidden = found === 0;
  }

  private _inspect(): void {
    const checked = (this._log?.records ?? []).filter(record =>
      this._checked.has(record.id)
    );
    const current =
      this._current === null ? undefined : this._log?.find(this._current);
    if (checked.length > 1) {
      this._inspector.compare(checked);
    } else if (current) {
      this._inspector.show(current, {
        stale: this._stale.get(current.id) ?? [],
        records: this._log?.records ?? [],
        locked: this._log?.isNewer
          ? 'The log of this notebook is of a newer fmagic.'
          : null
      });
    } else {
      this._inspector.clear();
    }
  }

  private _setCurrent(id: string | null): void {
    this._current = id;
    const place = this._list.items.findIndex(record => record.id === id);
    this._list.update(this._list.items);
    this._inspect();
    this._list.reveal(place);
    this._markCurrent();
  }

  private _markCurrent(): void {
    const { node } = this._list;
    const there = this._list.items.some(record => record.id === this._current);
    if (this._current !== null && there) {
      node.setAttribute('aria-activedescendant', rowId(this._current));
    } else {
      node.removeAttribute('aria-activedescendant');
    }
  }

  private _toggle(id: string): void {
    if (!this._checked.delete(id)) {
      this._checked.add(id);
    }
    this._list.update(this._list.items);
    this._inspect();
  }

  private async _goTo(id: string): Promise<void> {
    const record = this._log?.find(id);
    if (this._log && record) {
      const found = await reveal(this._log, record);
      if (!found) {
        this._message.textContent =
          'The cell of this run is not in the notebook any more.';
      }
    }
  }

  private _listen(): void {
    const { node } = this._list;
    node.tabIndex = 0;
    node.setAttribute('role', 'listbox');
    node.setAttribute('aria-multiselectable', 'true');
    node.setAttribute('aria-label', 'Runs');
    node.dataset['lmSuppressShortcuts'] = 'true';
    node.addEventListener('click', event => {
      const target = event.target as Element;
      const id = target.closest<HTMLElement>('[data-run]')?.dataset['run'];
      if (id === undefined) {
        return;
      }
      if (target.closest('.fmagic-check')) {
        this._toggle(id);
      } else {
        this._setCurrent(id);
        void this._goTo(id);
      }
    });
    node.addEventListener('keydown', event => {
      if (this._onKey(event.key)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
  }

  private _onKey(key: string): boolean {
    const { items } = this._list;
    const place = items.findIndex(record => record.id === this._current);
    const last = items.length - 1;
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: place + 1,
      ArrowUp: place < 0 ? 0 : place - 1,
      PageDown: place + PAGE,
      PageUp: place - PAGE,
      Home: 0,
      End: last
    };
    const step = steps[key];
    if (step !== undefined) {
      const record = items[Math.min(last, Math.max(0, step))];
      this._setCurrent(record?.id ?? null);
      return true;
    }
    if (this._current === null) {
      return false;
    }
    if (key === ' ') {
      this._toggle(this._current);
      return true;
    }
    if (key === 'Enter') {
      void this._goTo(this._current);
      return true;
    }
    return false;
  }

  private readonly _controls: Controls;
  private readonly _list: VirtualList<RunRecord>;
  private readonly _inspector: Inspector;
  private readonly _message: HTMLElement;
  private readonly _later = new Debouncer(() => {
    this._refresh();
  }, PAUSE);
  private readonly _checked = new Set<string>();
  private _stale: ReadonlyMap<string, readonly string[]> = new Map();
  private _query: Query = EVERYTHING;
  private _log: NotebookLog | null = null;
  private _current: string | null = null;
}
