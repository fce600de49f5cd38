/** One run in the list of the panel. */

import {
  duration,
  figure,
  moment,
  precision,
  shown,
  words
} from '../log/formats';
import { mainMetric, valueOf } from '../log/query';
import { type RunRecord, shortId } from '../log/record';
import { statusMark, tagMarks } from './card';
import { h } from './dom';

/** What a row shows of a run, and in which state. */
export interface RowState {
  readonly record: RunRecord;
  readonly stale: readonly string[];
  readonly isCurrent: boolean;
  readonly isChecked: boolean;
  /** The field or the metric by which the runs are sorted. */
  readonly sort: string;
}

const LINE = 19;
const PADDING = 10;

/** Height of a row in pixels; style/base.css has the same lines. */
export function rowHeight(record: RunRecord): number {
  return (hasMarks(record) ? 3 : 2) * LINE + PADDING;
}

export function rowId(id: string): string {
  return `fmagic-row-${id}`;
}

/** Return a row; its checkbox has the class `fmagic-check`. */
export function row(
  state: RowState,
  place: number,
  total: number
): HTMLElement {
  const { record, stale, isCurrent, isChecked } = state;
  const check = h('input', {
    class: 'fmagic-check',
    title: 'Compare (Space)',
    attrs: {
      type: 'checkbox',
      tabindex: '-1',
      'aria-hidden': 'true',
      checked: isChecked ? '' : null
    }
  });
  const where = (name: string | undefined): string =>
    [[name, precision(record)].filter(Boolean).join(' '), record.data?.name]
      .filter(Boolean)
      .join(' · ');
  return h(
    'div',
    {
      class: `fmagic-row${isCurrent ? ' fmagic-current' : ''}`,
      attrs: {
        id: rowId(record.id),
        role: 'option',
        'data-run': record.id,
        'aria-selected': String(isChecked),
        'aria-posinset': String(place + 1),
        'aria-setsize': String(total)
      }
    },
    check,
    h(
      'div',
      { class: 'fmagic-row-lines' },
      h(
        'div',
        { class: 'fmagic-row-line' },
        h(
          'span',
          { class: 'fmagic-name' },
          statusMark(record.status),
          ' ',
          h('strong', {}, record.kind),
          ' ',
          h('code', {}, shortId(record.id))
        ),
        stale.length > 0 &&
          h(
            'span',
            { class: 'fmagic-stale', title: `stale: ${stale.join(', ')}` },
            'stale'
          ),
        ...sortedFigure(record, state.sort)
      ),
      h(
        'div',
        { class: 'fmagic-row-line fmagic-muted' },
        h(
          'span',
          { class: 'fmagic-cut', title: where(record.model?.name) },
          where(modelName(record))
        ),
        h(
          'span',
          { class: 'fmagic-when', title: record.started },
          [
            typeof record.seconds === 'number' && duration(record.seconds),
            moment(record.started)
          ]
            .filter(Boolean)
            .join(' · ')
        )
      ),
      hasMarks(record) &&
        h(
          'div',
          { class: 'fmagic-row-line' },
          h(
            'span',
            {
              class: 'fmagic-cut',
              title: record.note ?? '',
              attrs: { dir: 'auto' }
            },
            ...tagMarks(record.tags ?? []),
            record.note?.replace(/\s+/g, ' ') ?? ''
          )
        )
    )
  );
}

function hasMarks(record: RunRecord): boolean {
  return !!record.note || !!record.tags?.length;
}

/** The figure by which it was sorted, where that stands nowhere else; else the main one. */
function sortedFigure(record: RunRecord, sort: string): HTMLElement[] {
  const name = record.metrics?.[sort] === undefined ? mainMetric(record) : sort;
  const value = name === null ? undefined : record.metrics?.[name];
  if (sort === 'seed' || record.params?.[sort] !== undefined) {
    return figureText(shown(valueOf(record, sort)), words(sort));
  }
  return name === null || value === undefined
    ? []
    : figureText(figure(name, value), words(name));
}

/** The value first: where there is little room it is the name that is cut. */
function figureText(value: string, name: string): HTMLElement[] {
  return [
    h('strong', { class: 'fmagic-value', title: `${name} ${value}` }, value),
    h('span', { class: 'fmagic-cut fmagic-value-name' }, name)
  ];
}

/** `Qwen3-0.6B`: whose it is stands in the title. */
function modelName(record: RunRecord): string | undefined {
  return record.model?.name.split('/').at(-1);
}
