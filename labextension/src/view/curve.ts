/** Curves of one or several runs in one drawing. */

import { number } from '../log/formats';
import type { Point } from '../log/record';
import { h, svg } from './dom';

export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

/** More lines than these cannot be told apart; style/base.css has as many colours. */
export const MOST_LINES = 8;

const [WIDTH, HEIGHT] = [320, 150];
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 8, 20];
const TICKS = 3;

interface Scale {
  readonly low: number;
  readonly high: number;
  at(value: number): number;
}

/** Return the drawing with its legend, `null` if there is nothing to draw. */
export function curve(
  lines: readonly Line[],
  label: string
): HTMLElement | null {
  const drawn = lines
    .map(line => ({ ...line, points: line.points.filter(isDrawable) }))
    .filter(line => line.points.length > 0);
  const shown = drawn.slice(0, MOST_LINES);
  if (shown.length === 0) {
    return null;
  }
  const x = scale(
    shown.flatMap(line => line.points.map(p => p[0])),
    LEFT,
    WIDTH - RIGHT
  );
  const y = scale(
    shown.flatMap(line => line.points.map(p => p[1])),
    HEIGHT - BOTTOM,
    TOP
  );
  const told = shown.map(line => {
    const [first, last] = [line.points[0], line.points.at(-1)];
    return `${line.name}: from ${number(first?.[1] ?? 0)} to ${number(last?.[1] ?? 0)}`;
  });
  const picture = svg(
    'svg',
    {
      class: 'fmagic-curve',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': `${label}. ${told.join('; ')}`
    },
    ...axes(x, y),
    ...shown.map((line, place) => path(line, place, x, y))
  );
  const rest = drawn.length - shown.length;
  const legend = h(
    'ul',
    { class: 'fmagic-legend' },
    ...shown.map((line, place) =>
      h('li', { class: `fmagic-line-${place}` }, line.name)
    ),
    rest > 0 && h('li', {}, `${rest} more not drawn`)
  );
  return h('figure', { class: 'fmagic-figure' }, picture, legend);
}

function isDrawable([step, value]: Point): boolean {
  return Number.isFinite(step) && Number.isFinite(value);
}

function scale(values: readonly number[], start: number, end: number): Scale {
  // No spread: a run may have many points.
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const span = high - low;
  return {
    low,
    high,
    at: value =>
      span === 0
        ? (start + end) / 2
        : start + ((value - low) / span) * (end - start)
  };
}

function axes(x: Scale, y: Scale): SVGElement[] {
  const parts: SVGElement[] = [];
  const ticks = y.low === y.high ? [y.low] : spread(y);
  for (const value of ticks) {
    const place = y.at(value).toFixed(1);
    parts.push(
      svg('line', {
        class: 'fmagic-grid',
        x1: LEFT,
        x2: WIDTH - RIGHT,
        y1: place,
        y2: place
      }),
      svg(
        'text',
        { x: LEFT - 5, y: place, 'text-anchor': 'end', dy: '0.32em' },
        number(Number(value.toPrecision(3)))
      )
    );
  }
  const bottom = HEIGHT - 5;
  parts.push(svg('text', { x: LEFT, y: bottom }, `step ${number(x.low)}`));
  if (x.high > x.low) {
    parts.push(
      svg(
        'text',
        { x: WIDTH - RIGHT, y: bottom, 'text-anchor': 'end' },
        number(x.high)
      )
    );
  }
  return parts;
}

function spread(range: Scale): number[] {
  return Array.from(
    { length: TICKS },
    (_, place) => range.low + ((range.high - range.low) * place) / (TICKS - 1)
  );
}

function path(line: Line, place: number, x: Scale, y: Scale): SVGElement {
  const points = line.points.map(
    ([step, value]) => `${x.at(step).toFixed(1)},${y.at(value).toFixed(1)}`
  );
  const name = svg('title', {}, line.name);
  const [only] = line.points;
  if (line.points.length === 1 && only) {
    return svg(
      'circle',
      {
        class: `fmagic-dot fmagic-line-${place}`,
        cx: x.at(only[0]).toFixed(1),
        cy: y.at(only[1]).toFixed(1),
        r: 3
      },
      name
    );
  }
  return svg(
    'polyline',
    { class: `fmagic-line fmagic-line-${place}`, points: points.join(' ') },
    name
  );
}
