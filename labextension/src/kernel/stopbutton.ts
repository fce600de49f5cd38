/** Stop beside the output of the cell whose operation goes on. */

import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { h } from '../view/dom';
import type { KernelLink } from './link';
import type { Running } from './protocol';
import { activity } from './wording';

const OUTPUT = '.jp-Cell-outputWrapper';
const SHOWN = 'fmagic-mod-stoppable';

/** Puts one button where it is needed, and takes it away again. */
export class StopButton implements IDisposable {
  constructor(
    panel: NotebookPanel,
    link: KernelLink,
    trans: TranslationBundle
  ) {
    this._panel = panel;
    this._link = link;
    this._trans = trans;
    link.changed.connect(this._refresh, this);
    NotebookActions.executed.connect(this._onExecuted, this);
    // A cell that was out of sight, or was moved, has a new place for it.
    panel.content.activeCellChanged.connect(this._refresh, this);
    panel.disposed.connect(() => {
      this.dispose();
    });
    this._refresh();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._remove();
      Signal.clearData(this);
    }
  }

  private readonly _refresh = (): void => {
    const running = this._link.status?.running ?? null;
    if (running?.run !== this._run) {
      this._remove();
      this._over = false;
    }
    const id = running?.cell ?? null;
    if (
      running === null ||
      id === null ||
      this._over ||
      this._bar?.isConnected
    ) {
      return;
    }
    const cell = this._cellOf(id);
    const output = cell?.node.querySelector<HTMLElement>(OUTPUT);
    if (cell && output) {
      this._put(cell, output, running);
    }
  };

  /** The end of a cell is known before the kernel's next status. */
  private readonly _onExecuted = (
    _: unknown,
    { cell }: { cell: Cell }
  ): void => {
    if (cell === this._cell) {
      const run = this._run;
      this._remove();
      this._run = run;
      this._over = true;
    }
  };

  private _cellOf(id: string): Cell | undefined {
    return this._panel.content.widgets.find(cell => cell.model.id === id);
  }

  private _put(cell: Cell, output: HTMLElement, running: Running): void {
    const button = h(
      'button',
      {
        class: 'fmagic-button fmagic-stop-button',
        attrs: {
          type: 'button',
          'aria-label': this._trans.__('Stop %1', activity(running.kind))
        }
      },
      h('span', {
        class: 'fmagic-stop-sign',
        attrs: { 'aria-hidden': 'true' }
      }),
      h('span', { class: 'fmagic-stop-text' }, this._trans.__('Stop'))
    );
    button.addEventListener('click', event => {
      event.stopPropagation();
      this._stop(running.run, button);
    });
    // Keys that the notebook would take for its commands.
    button.addEventListener('keydown', event => {
      event.stopPropagation();
    });
    const bar = h('div', { class: 'fmagic-stop' }, button);
    output.append(bar);
    cell.addClass(SHOWN);
    this._run = running.run;
    this._cell = cell;
    this._bar = bar;
  }

  private _stop(run: string, button: HTMLElement): void {
    const text = button.querySelector('.fmagic-stop-text');
    if (text) {
      text.textContent = this._trans.__('Stopping…');
    }
    this._link.stop(run).catch((error: unknown) => {
      console.warn('fmagic: the run could not be stopped', error);
    });
  }

  private _remove(): void {
    const hadFocus = this._bar?.contains(document.activeElement) ?? false;
    this._bar?.remove();
    this._bar = null;
    this._run = null;
    if (this._cell && !this._cell.isDisposed) {
      this._cell.removeClass(SHOWN);
      if (hadFocus) {
        this._panel.content.node.focus();
      }
    }
    this._cell = null;
  }

  private readonly _panel: NotebookPanel;
  private readonly _link: KernelLink;
  private readonly _trans: TranslationBundle;
  private _run: string | null = null;
  private _cell: Cell | null = null;
  private _bar: HTMLElement | null = null;
  /** Whether the cell of that run has ended. */
  private _over = false;
  private _isDisposed = false;
}
