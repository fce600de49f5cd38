/** A long list of which only the rows in sight are on the page. */

import { h } from './dom';

const BEYOND = 8; // rows kept ready on either side
const USUAL_HEIGHT = 600; // where there is no layout yet

interface Options<T> {
  /** Height of a row in pixels. */
  height(item: T): number;
  /** The row; it is placed by the list. */
  render(item: T, place: number): HTMLElement;
}

/** Rows of known heights in an element that scrolls. */
export class VirtualList<T> {
  readonly node: HTMLElement;

  constructor(private readonly _options: Options<T>) {
    this._inside = h('div', { class: 'fmagic-rows', attrs: { role: 'none' } });
    this.node = h('div', { class: 'fmagic-list' }, this._inside);
    this.node.addEventListener('scroll', () => {
      this._later();
    });
    if (typeof ResizeObserver !== 'undefined') {
      new ResizeObserver(() => {
        this._later();
      }).observe(this.node);
    }
  }

  get items(): readonly T[] {
    return this._items;
  }

  /** Show other items, or the same ones anew; the place to which it was scrolled stays. */
  update(items: readonly T[]): void {
    this._items = items;
    let top = 0;
    this._tops = items.map(item => {
      const place = top;
      top += this._options.height(item);
      return place;
    });
    this._inside.style.height = `${top}px`;
    this._total = top;
    this._draw();
  }

  /** Scroll as little as shows a row whole. */
  reveal(place: number): void {
    const top = this._tops[place];
    if (top === undefined) {
      return;
    }
    const bottom = this._tops[place + 1] ?? this._total;
    const height = this._height();
    if (top < this.node.scrollTop) {
      this.node.scrollTop = top;
    } else if (bottom > this.node.scrollTop + height) {
      this.node.scrollTop = bottom - height;
    }
    this._draw();
  }

  private _later(): void {
    this._frame ??= requestAnimationFrame(() => {
      this._frame = null;
      this._draw();
    });
  }

  private _draw(): void {
    const top = this.node.scrollTop;
    const first = Math.max(0, this._at(top) - BEYOND);
    const end = Math.min(
      this._items.length,
      this._at(top + this._height()) + 1 + BEYOND
    );
    const rows: HTMLElement[] = [];
    for (let place = first; place < end; place += 1) {
      const item = this._items[place] as T;
      const row = this._options.render(item, place);
      row.style.top = `${this._tops[place] ?? 0}px`;
      row.style.height = `${this._options.height(item)}px`;
      rows.push(row);
    }
    this._inside.replaceChildren(...rows);
  }

  /** The row at a height. */
  private _at(height: number): number {
    let [low, high] = [0, this._tops.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this._tops[middle] ?? 0) <= height) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return Math.max(0, low - 1);
  }

  private _height(): number {
    return this.node.clientHeight || USUAL_HEIGHT;
  }

  private readonly _inside: HTMLElement;
  private _items: readonly T[] = [];
  private _tops: readonly number[] = [];
  private _total = 0;
  private _frame: number | null = null;
}
