/** The item of the status bar, and the table that it opens. */

import { showPopup } from '@jupyterlab/statusbar';
import type { Popup } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { h } from '../view/dom';
import type { IKernelLinks } from './links';
import type { LoadedModel, Status } from './protocol';
import {
  activity,
  memoryInWords,
  parameters,
  quantization,
  summary
} from './wording';
import { size } from '../log/formats';

/** Model, quantization and memory of the notebook that has the focus; a click shows the rest. */
export class StatusItem extends Widget {
  constructor(
    links: IKernelLinks,
    trans: TranslationBundle,
    pick: (() => void) | null
  ) {
    super({ node: h('div', { class: 'fmagic-statusbar jp-mod-highlighted' }) });
    this._links = links;
    this._trans = trans;
    this._pick = pick;
    this._button = h('button', {
      class: 'fmagic-statusbar-button',
      attrs: { type: 'button', 'aria-haspopup': 'dialog' }
    });
    this._button.addEventListener('click', () => {
      this._toggle();
    });
    this.node.append(this._button);
    links.currentChanged.connect(this._refresh, this);
    this._refresh();
  }

  /** Whether there is anything to show. */
  get isActive(): boolean {
    return (this._links.current?.status ?? null) !== null;
  }

  /** Emitted when the item appears or disappears. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._popup?.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  private readonly _refresh = (): void => {
    const status = this._links.current?.status ?? null;
    if (status === null) {
      this._popup?.dispose();
    } else {
      const text = summary(status) || this._trans.__('no model loaded');
      const running = status.running;
      this._button.textContent = text;
      this._button.title =
        running === null
          ? this._trans.__('Models that fmagic has loaded')
          : this._trans.__('fmagic is %1', activity(running.kind));
      this._button.classList.toggle('fmagic-mod-running', running !== null);
    }
    this._activeChanged.emit();
  };

  private _toggle(): void {
    if (this._popup !== null) {
      this._popup.dispose();
      return;
    }
    const body = new LoadedModels(this._links, this._trans, this._pick, () => {
      this._popup?.dispose();
    });
    const popup = showPopup({ body, anchor: this, align: 'left' });
    this._popup = popup;
    this._button.setAttribute('aria-expanded', 'true');
    popup.disposed.connect(() => {
      this._popup = null;
      this._button.setAttribute('aria-expanded', 'false');
      if (body.node.contains(document.activeElement)) {
        this._button.focus();
      }
    });
    body.node.focus();
  }

  private readonly _links: IKernelLinks;
  private readonly _trans: TranslationBundle;
  private readonly _pick: (() => void) | null;
  private readonly _button: HTMLButtonElement;
  private readonly _activeChanged = new Signal<this, void>(this);
  private _popup: Popup | null = null;
}

/** What is loaded, what memory it takes, and what goes on; it follows the kernel while it is open. */
export class LoadedModels extends Widget {
  constructor(
    links: IKernelLinks,
    trans: TranslationBundle,
    pick: (() => void) | null,
    close: () => void
  ) {
    super({
      node: h('div', {
        class: 'fmagic-loaded',
        attrs: {
          role: 'dialog',
          'aria-label': trans.__('Loaded models'),
          tabindex: '-1'
        }
      })
    });
    this._links = links;
    this._trans = trans;
    const facts = h('div', { class: 'fmagic-loaded-facts' });
    this._facts = facts;
    this.node.append(facts);
    if (pick !== null) {
      const button = h(
        'button',
        { class: 'fmagic-button', attrs: { type: 'button' } },
        trans.__('Pick a model…')
      );
      button.addEventListener('click', () => {
        close();
        pick();
      });
      this.node.append(h('div', { class: 'fmagic-loaded-picker' }, button));
    }
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      }
    });
    links.currentChanged.connect(this._refresh, this);
    this._refresh();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      Signal.clearData(this);
      super.dispose();
    }
  }

  private readonly _refresh = (): void => {
    const status = this._links.current?.status ?? null;
    if (status === null) {
      return;
    }
    this._facts.replaceChildren(
      ...[
        h('h2', {}, this._trans.__('Loaded models')),
        this._table(status),
        this._memory(status),
        this._running(status)
      ].filter(part => part !== null)
    );
  };

  private _table(status: Status): HTMLElement {
    const trans = this._trans;
    if (status.loaded.length === 0) {
      return h(
        'p',
        {},
        trans.__('None. `%model tiny` loads the one that comes with fmagic.')
      );
    }
    const columns = [
      trans.__('model'),
      trans.__('weights'),
      trans.__('quantization'),
      trans.__('type'),
      trans.__('device')
    ];
    return h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...columns.map(name => h('th', { attrs: { scope: 'col' } }, name))
        )
      ),
      h(
        'tbody',
        {},
        ...status.loaded.map(model =>
          this._row(model, model.name === status.model?.name)
        )
      )
    );
  }

  private _row(model: LoadedModel, current: boolean): HTMLElement {
    const name = model.adapter
      ? `${model.name} + ${model.adapter}`
      : model.name;
    return h(
      'tr',
      { class: current ? 'fmagic-mod-current' : '' },
      h(
        'th',
        { attrs: { scope: 'row' } },
        name,
        current ? ` ${this._trans.__('(current)')}` : null
      ),
      h(
        'td',
        {},
        `${size(model.weightBytes)}, ${parameters(model.parameters)}`
      ),
      h('td', {}, model.quant || quantization(model)),
      h('td', {}, model.dtype),
      h('td', { title: model.deviceName }, model.device)
    );
  }

  private _memory(status: Status): HTMLElement | null {
    if (status.memory === null || status.model === null) {
      return null;
    }
    return h(
      'p',
      {},
      this._trans.__('Memory: %1', memoryInWords(status.memory, status.model))
    );
  }

  private _running(status: Status): HTMLElement | null {
    return status.running === null
      ? null
      : h('p', {}, this._trans.__('Now: %1', activity(status.running.kind)));
  }

  private readonly _links: IKernelLinks;
  private readonly _trans: TranslationBundle;
  private readonly _facts: HTMLElement;
}
