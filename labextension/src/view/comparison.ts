/** Several runs beside each other. */

import { compare, moved, type Row, textOf } from '../log/compare';
import { figure, number, shown, words } from '../log/formats';
import { type RunRecord, shortId } from '../log/record';
import { wordChanges } from '../log/words';
import { curve, type Line } from './curve';
import { section } from './detail';
import { type Child, h } from './dom';

/** Return what differs between runs, the first of which the others are measured by. */
export function comparison(runs: readonly RunRecord[]): HTMLElement {
  const found = compare(runs);
  const parts: HTMLElement[] = [];
  if (found.metrics.length > 0) {
    parts.push(
      section(
        'Figures',
        table(
          runs,
          movedFirst(found.metrics).map(({ name, values }) => [
            words(name),
            values.map((value, place) =>
              measured(name, value, place === 0 ? undefined : values[0])
            )
          ])
        )
      )
    );
  }
  if (found.changed.length > 0) {
    parts.push(
      section(
        'What differs',
        table(
          runs,
          found.changed.map(({ name, values }) => [
            name,
            values.map(value => shown(value))
          ])
        )
      )
    );
  }
  parts.push(...texts(runs));
  const drawn = curves(runs);
  if (drawn) {
    parts.push(section('Curves', drawn));
  }
  const said: string[] = [];
  if (parts.length === 0) {
    said.push('Nothing that is recorded differs.');
  }
  if (found.same.length > 0) {
    said.push(`The same in all: ${found.same.join(', ')}.`);
  }
  const outputs = found.sameOutput.filter(each => each !== null);
  if (outputs.length > 0) {
    const all = outputs.every(Boolean);
    said.push(all ? 'The outputs are the same.' : 'The outputs differ.');
  }
  return h(
    'div',
    { class: 'fmagic-comparison' },
    ...parts,
    said.length > 0 && h('p', { class: 'fmagic-muted' }, said.join(' '))
  );
}

/** Figures that are alike in all tell the least. */
function movedFirst(rows: readonly Row<number>[]): Row<number>[] {
  const isAlike = (row: Row<number>): boolean =>
    row.values.every(value => value === row.values[0]);
  return [
    ...rows.filter(row => !isAlike(row)),
    ...rows.filter(row => isAlike(row))
  ];
}

type Cells = readonly (readonly [string, readonly Child[]])[];

function table(runs: readonly RunRecord[], rows: Cells): HTMLElement {
  const head = runs.map(run =>
    h(
      'th',
      { title: run.id, attrs: { scope: 'col' } },
      `${run.kind} ${shortId(run.id)}`
    )
  );
  const body = rows.map(([name, cells]) =>
    h(
      'tr',
      {},
      h('th', { attrs: { scope: 'row' } }, name),
      ...cells.map(cell => h('td', { attrs: { dir: 'auto' } }, cell))
    )
  );
  return h(
    'div',
    { class: 'fmagic-scroll', attrs: { tabindex: '0' } },
    h(
      'table',
      { class: 'fmagic-table' },
      h('thead', {}, h('tr', {}, h('td', {}), ...head)),
      h('tbody', {}, ...body)
    )
  );
}

function measured(
  name: string,
  value: number | undefined,
  first: number | undefined
): Child {
  if (value === undefined) {
    return '–';
  }
  const move = moved(first, value);
  if (move === null) {
    return figure(name, value);
  }
  const up = move.by > 0;
  const share =
    move.share === null
      ? `${up ? '+' : ''}${number(move.by)}`
      : `${up ? '+' : ''}${(move.share * 100).toFixed(1)}%`;
  return h(
    'span',
    {},
    `${figure(name, value)} `,
    h('span', { class: 'fmagic-move' }, `${up ? '▲' : '▼'} ${share}`)
  );
}

function texts(runs: readonly RunRecord[]): HTMLElement[] {
  const [first, ...others] = runs;
  if (!first) {
    return [];
  }
  // The cell tells nothing new where it is the magic's line and the template.
  for (const title of ['template', 'cell'] as const) {
    const before = textOf(first, title);
    const made = others
      .filter(run => textOf(run, title) !== before)
      .map(run =>
        section(
          `${title === 'template' ? 'Template' : 'Cell'}: ${shortId(first.id)} → ${shortId(run.id)}`,
          changed(before, textOf(run, title))
        )
      );
    if (made.length > 0) {
      return made;
    }
  }
  return [];
}

function changed(before: string, after: string): HTMLElement {
  const parts = wordChanges(before, after).map(([change, text]) =>
    change === 'same' ? text : h(change === 'out' ? 'del' : 'ins', {}, text)
  );
  return h(
    'pre',
    { class: 'fmagic-text', attrs: { dir: 'auto', tabindex: '0' } },
    ...parts
  );
}

function curves(runs: readonly RunRecord[]): HTMLElement | null {
  const lines: Line[] = runs.flatMap(run =>
    Object.entries(run.series ?? {}).map(([name, points]) => ({
      name: `${shortId(run.id)} ${words(name)}`,
      points
    }))
  );
  return curve(lines, 'Curves of the compared runs');
}
