/** The log of one open notebook: the union of its outputs and its metadata, kept up to date. */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import type { PartialJSONObject } from '@lumino/coreutils';
import { JSONExt } from '@lumino/coreutils';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Dropped, KEY, readBook, writeBook } from '../log/book';
import { staleness } from '../log/lineage';
import { annotated, inOrder, joined } from '../log/merge';
import { read, RUN_MIME, type RunRecord } from '../log/record';
import { annotations } from './annotations';
import { tellKernel } from './kernel';

/** Tags and note of a run. */
export interface Annotation {
  readonly tags: readonly string[];
  readonly note: string;
}

/**
 * Knows the runs of a notebook. A run that was seen stays known when its output goes.
 *
 * The notebook itself is changed by `write` and `annotate` alone.
 */
export class NotebookLog {
  /** The log of a notebook; it is made when it is first asked for. */
  static of(panel: NotebookPanel): NotebookLog {
    let log = logs.get(panel);
    if (!log) {
      log = new NotebookLog(panel);
      logs.set(panel, log);
    }
    return log;
  }

  private constructor(readonly panel: NotebookPanel) {
    void panel.context.ready.then(() => {
      if (!panel.isDisposed) {
        this._open(panel.context.model);
      }
    });
    panel.disposed.connect(() => {
      Signal.clearData(this);
    });
  }

  /** Emitted when a run is new or is known better. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when outputs came or went. */
  get outputsChanged(): ISignal<this, void> {
    return this._outputsChanged;
  }

  /** The runs, oldest first. */
  get records(): readonly RunRecord[] {
    this._sorted ??= [...this._runs.values()].sort(inOrder);
    return this._sorted;
  }

  /** What the metadata had no place for. */
  get dropped(): Dropped | null {
    return this._dropped;
  }

  /** Whether the metadata is of a later version, so that it must not be written. */
  get isNewer(): boolean {
    return this._newer;
  }

  find(id: string): RunRecord | undefined {
    return this._runs.get(id);
  }

  /** Why runs are stale, by id, as the cells are now. */
  stale(): Map<string, string[]> {
    const sources = new Map<string, string>();
    for (const cell of this._model?.cells ?? []) {
      sources.set(cell.id, cell.sharedModel.getSource());
    }
    return staleness(this.records, sources);
  }

  /** The place of the cell that made a run, else of one that shows it; -1 if there is none. */
  cellIndexOf(record: RunRecord): number {
    const cells = [...(this._model?.cells ?? [])];
    const place = cells.findIndex(cell => cell.id === record.cell?.id);
    return place >= 0
      ? place
      : cells.findIndex(cell => cell.id === this._shownIn.get(record.id));
  }

  /** Change tags and note of a run, here and in the notebook's metadata. */
  annotate(id: string, annotation: Annotation): void {
    const record = this._runs.get(id);
    if (!record || this._newer) {
      return;
    }
    // Times are kept to the millisecond, and this change holds over the last one.
    const last = record.edited ? Date.parse(record.edited) + 1 : 0;
    const note = annotation.note.trim();
    const edited = new Date(Math.max(Date.now(), last)).toISOString();
    const source = { ...record, tags: annotation.tags, note, edited };
    const now = annotated(record, source);
    this._take(now);
    this._changed.emit();
    this.write({ all: false });
    void tellKernel(this.panel, now);
  }

  /**
   * Bring the metadata up to date; where it is already, the notebook is left alone.
   *
   * @param all - put every run there; else those that are there, and those that were edited.
   */
  write({ all }: { all: boolean }): void {
    const model = this._model;
    if (!model || this._newer) {
      return;
    }
    const before = (model.getMetadata(KEY) ?? {}) as PartialJSONObject;
    const kept = all
      ? this.records
      : this.records.filter(run => !!run.edited || this._inBook.has(run.id));
    if (kept.length === 0) {
      return;
    }
    const book = writeBook(kept, this._dropped);
    const after = { ...before, ...book } as unknown as PartialJSONObject;
    this._dropped = book.dropped ?? null;
    this._inBook = new Set(book.runs.map(run => run.id));
    if (!JSONExt.deepEqual(before, after)) {
      this._writing = true;
      model.setMetadata(KEY, after);
      this._writing = false;
    }
  }

  private _open(model: INotebookModel): void {
    this._model = model;
    this._readBook();
    this._connectCells();
    model.cells.changed.connect(() => {
      this._connectCells();
    });
    model.metadataChanged.connect((_, change) => {
      if (change.key === KEY && !this._writing && this._readBook()) {
        this._changed.emit();
      }
    });
    this._changed.emit();
  }

  private _readBook(): boolean {
    const book = readBook(this._model?.getMetadata(KEY));
    this._newer = book.newer;
    this._dropped = book.dropped;
    this._inBook = new Set(book.runs.map(run => run.id));
    return book.runs.map(run => this._take(run)).some(Boolean);
  }

  private _connectCells(): void {
    let fresh = false;
    for (const cell of this._model?.cells ?? []) {
      if (isCode(cell) && !this._cells.has(cell)) {
        this._cells.add(cell);
        fresh = this._scan(cell) || fresh;
        cell.outputs.changed.connect(() => {
          if (this._scan(cell)) {
            this._changed.emit();
          }
          this._outputsChanged.emit();
        });
      }
    }
    if (fresh) {
      this._changed.emit();
    }
  }

  /** Look for records in the outputs of a cell; tell whether there are any that say more. */
  private _scan(cell: ICodeCellModel): boolean {
    let fresh = false;
    for (let place = 0; place < cell.outputs.length; place += 1) {
      const value = cell.outputs.get(place).data[RUN_MIME];
      if (isSeen(value) && this._seen.has(value)) {
        continue;
      }
      const reading = value === undefined ? null : read(value);
      if (reading?.is === 'run') {
        this._seen.add(reading.record);
        this._shownIn.set(reading.record.id, cell.id);
        fresh = this._take(reading.record) || fresh;
      }
    }
    return fresh;
  }

  private _take(record: RunRecord): boolean {
    const known = this._runs.get(record.id);
    const best = known ? joined(known, record) : record;
    if (best === known) {
      return false;
    }
    this._runs.set(record.id, best);
    this._sorted = null;
    annotations.offer(best);
    return true;
  }

  private _model: INotebookModel | null = null;
  private _sorted: readonly RunRecord[] | null = null;
  private _dropped: Dropped | null = null;
  private _newer = false;
  private _writing = false;
  private _inBook: ReadonlySet<string> = new Set();
  private readonly _runs = new Map<string, RunRecord>();
  private readonly _shownIn = new Map<string, string>();
  private readonly _cells = new WeakSet<ICellModel>();
  private readonly _seen = new WeakSet();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _outputsChanged = new Signal<this, void>(this);
}

const logs = new WeakMap<NotebookPanel, NotebookLog>();

function isCode(cell: ICellModel): cell is ICodeCellModel {
  return cell.type === 'code';
}

function isSeen(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
