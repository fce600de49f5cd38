/** The output of a run: its result as its HTML tells it, over the card of the run. */

import { htmlRendererFactory, MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { read, type Reading, RUN_MIME } from '../log/record';
import { withoutCard } from '../view/bundle';
import { card, rawText } from '../view/card';
import { verbatim } from '../view/detail';
import { h } from '../view/dom';
import { annotations } from './annotations';

/** Renders `application/vnd.fmagic.run.v1+json`. */
export class RunRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(private readonly _options: IRenderMime.IRendererOptions) {
    super();
    this.addClass('fmagic-output');
    this._body = h('div', { class: 'fmagic-body' });
    this.node.append(this._body);
    annotations.changed.connect(this._onAnnotated, this);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const value = model.data[RUN_MIME];
    const reading = read(value);
    this._reading = reading;
    this._showCard();
    await this._showBody(model, reading, value);
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    annotations.changed.disconnect(this._onAnnotated, this);
    this._inner?.dispose();
    super.dispose();
  }

  private async _showBody(
    model: IRenderMime.IMimeModel,
    reading: Reading,
    value: unknown
  ): Promise<void> {
    const whole = model.data['text/html'];
    const html = typeof whole === 'string' ? whole : joined(whole);
    // A record that cannot be read has a page all the same.
    const rest = reading.is === 'run' ? withoutCard(html) : html;
    if (rest) {
      await this._showHtml(rest, model.trusted);
    } else {
      this._body.replaceChildren(...plainBody(model, reading, value, !!html));
    }
  }

  /** Show HTML as JupyterLab shows it: sanitized unless the notebook is trusted. */
  private async _showHtml(html: string, trusted: boolean): Promise<void> {
    const inner = htmlRendererFactory.createRenderer({
      ...this._options,
      mimeType: 'text/html'
    });
    await inner.renderModel(
      new MimeModel({ data: { 'text/html': html }, trusted })
    );
    if (this.isDisposed) {
      inner.dispose();
      return;
    }
    this._inner?.dispose();
    this._inner = inner;
    this._body.replaceChildren(inner.node);
  }

  private _showCard(): void {
    if (!this._reading) {
      return;
    }
    const { _reading: reading } = this;
    const shown: Reading =
      reading.is === 'run'
        ? { is: 'run', record: annotations.applied(reading.record) }
        : reading;
    const made = card(shown);
    const wasOpen = this._card?.querySelector('details')?.open ?? false;
    const fold = made.querySelector('details');
    if (fold && wasOpen) {
      fold.open = true;
    }
    if (this._card) {
      this._card.replaceWith(made);
    } else {
      this.node.append(made);
    }
    this._card = made;
  }

  private _onAnnotated(_: unknown, id: string): void {
    if (this._reading?.is === 'run' && this._reading.record.id === id) {
      this._showCard();
    }
  }

  private readonly _body: HTMLElement;
  private _inner: IRenderMime.IRenderer | null = null;
  private _card: HTMLElement | null = null;
  private _reading: Reading | null = null;
}

/** What stands for a result without HTML, or with none that is its own. */
function plainBody(
  model: IRenderMime.IMimeModel,
  reading: Reading,
  value: unknown,
  hasPage: boolean
): Node[] {
  if (reading.is === 'run') {
    const text = reading.record.output?.text;
    return text && !hasPage ? [h('div', { class: 'fmagic-answer' }, text)] : [];
  }
  const plain = joined(model.data['text/plain']);
  return [plain ? verbatim(plain) : rawText(value)];
}

/** A text that a notebook file may hold as a list of lines. */
function joined(text: unknown): string {
  if (typeof text === 'string') {
    return text;
  }
  return Array.isArray(text)
    ? text.filter(line => typeof line === 'string').join('')
    : '';
}
