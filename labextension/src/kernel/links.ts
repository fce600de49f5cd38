/** The links of all open notebooks. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KernelLink } from './link';

/** Finds the link of a notebook. */
export interface IKernelLinks {
  /** The link of a notebook that is open. */
  of(panel: NotebookPanel): KernelLink | null;
  /** The link of the notebook that has the focus, or had it last. */
  readonly current: KernelLink | null;
  /** Emitted when another notebook is the current one, or its status is another one. */
  readonly currentChanged: ISignal<IKernelLinks, void>;
  /** Emitted when a notebook has a link. */
  readonly added: ISignal<IKernelLinks, NotebookPanel>;
}

export const IKernelLinks = new Token<IKernelLinks>(
  'fmagic-labextension:IKernelLinks',
  'What the kernels of the open notebooks say about fmagic.'
);

/** Makes a link for each notebook that is opened. */
export class KernelLinks implements IKernelLinks {
  constructor(tracker: INotebookTracker) {
    this._tracker = tracker;
    tracker.forEach(panel => {
      this._add(panel);
    });
    tracker.widgetAdded.connect((_, panel) => {
      this._add(panel);
    });
    tracker.currentChanged.connect(() => {
      this._currentChanged.emit();
    });
  }

  of(panel: NotebookPanel): KernelLink | null {
    return this._links.get(panel) ?? null;
  }

  get current(): KernelLink | null {
    const panel = this._tracker.currentWidget;
    return panel === null ? null : this.of(panel);
  }

  get currentChanged(): ISignal<this, void> {
    return this._currentChanged;
  }

  get added(): ISignal<this, NotebookPanel> {
    return this._added;
  }

  private _add(panel: NotebookPanel): void {
    if (this._links.has(panel)) {
      return;
    }
    const link = new KernelLink(panel.sessionContext);
    this._links.set(panel, link);
    link.changed.connect(() => {
      if (this._tracker.currentWidget === panel) {
        this._currentChanged.emit();
      }
    });
    panel.disposed.connect(() => {
      link.dispose();
    });
    this._added.emit(panel);
  }

  private readonly _tracker: INotebookTracker;
  private readonly _links = new WeakMap<NotebookPanel, KernelLink>();
  private readonly _currentChanged = new Signal<this, void>(this);
  private readonly _added = new Signal<this, NotebookPanel>(this);
}
