/** A run as a card of one line that folds out to everything. */

import { brief, duration, number, precision } from '../log/formats';
import { mainMetric, metricText } from '../log/query';
import {
  type Reading,
  type RunRecord,
  shortId,
  type Status
} from '../log/record';
import { sections } from './detail';
import { type Child, h } from './dom';

const SIGNS: Readonly<Record<Status, string>> = {
  ok: '✓',
  error: '✗',
  interrupted: '◼',
  running: '…'
};

/** The sign and the word of a status. */
export function statusMark(status: Status): HTMLElement {
  return h(
    'span',
    { class: `fmagic-status fmagic-status-${status}`, title: status },
    h('span', { attrs: { 'aria-hidden': 'true' } }, SIGNS[status]),
    h('span', { class: 'fmagic-status-word' }, ` ${status}`)
  );
}

/** Return the card of what was read; what is no record becomes a plain text. */
export function card(reading: Reading): HTMLElement {
  if (reading.is === 'run') {
    return runCard(reading.record);
  }
  const said =
    reading.is === 'newer'
      ? `This run was recorded by a newer fmagic (fmagic.run/${reading.version}). ` +
        'To see it whole: pip install -U fmagic'
      : `This is no whole record of a run (${reading.problem}).`;
  return h('div', { class: 'fmagic-card fmagic-unread' }, said);
}

/** Return what cannot be read as a record as indented JSON, cut where it is long. */
export function rawText(value: unknown): HTMLElement {
  let text: string;
  try {
    text = JSON.stringify(value, null, 2);
  } catch {
    text = String(value);
  }
  return h('pre', { class: 'fmagic-text' }, text.slice(0, 20_000));
}

function runCard(record: RunRecord): HTMLElement {
  const head = h(
    'summary',
    {
      class: 'fmagic-head',
      // Else the notebook's own keys come first: Enter would edit the cell.
      attrs: { 'data-lm-suppress-shortcuts': 'true' }
    },
    h(
      'span',
      { class: 'fmagic-chips' },
      statusMark(record.status),
      h('strong', {}, record.kind),
      h('code', { title: record.id }, shortId(record.id)),
      ...chips(record)
    ),
    ...extraLines(record)
  );
  const fold = h('details', { class: 'fmagic-fold' }, head);
  // What most never open is made when it is opened.
  fold.addEventListener('toggle', () => {
    if (fold.open && fold.childElementCount === 1) {
      fold.append(h('div', { class: 'fmagic-sections' }, ...sections(record)));
    }
  });
  return h('div', { class: `fmagic-card fmagic-is-${record.status}` }, fold);
}

function chips(record: RunRecord): Child[] {
  const { model, metrics } = record;
  const speed = metrics?.['tokens_per_second'];
  const how = [precision(record), model?.device].filter(Boolean).join(' ');
  const main = metricText(record, mainMetric(record));
  return [
    main && chip(main, 'fmagic-chip fmagic-main'),
    model && chip(how ? `${model.name} · ${how}` : model.name),
    typeof record.seconds === 'number' && chip(duration(record.seconds)),
    speed !== undefined && chip(`${number(speed)} tokens/s`),
    typeof record.data?.rows === 'number' &&
      chip(`${number(record.data.rows)} rows`)
  ];
}

function chip(text: string, name = 'fmagic-chip'): HTMLElement {
  return h('span', { class: name }, text);
}

function extraLines(record: RunRecord): Child[] {
  const { error, rerun, tags, note } = record;
  const drifted = rerun?.same_output === false;
  return [
    error &&
      h(
        'span',
        { class: 'fmagic-extra fmagic-bad' },
        `${error.type}: ${brief(error.message ?? '')}`
      ),
    drifted &&
      h(
        'span',
        { class: 'fmagic-extra fmagic-bad' },
        `rerun of ${shortId(rerun.of)}: its output drifted`
      ),
    (!!tags?.length || !!note) &&
      h(
        'span',
        { class: 'fmagic-extra', attrs: { dir: 'auto' } },
        ...tagMarks(tags ?? []),
        note ?? ''
      )
  ];
}

/** The tags of a run, each with a space after it. */
export function tagMarks(tags: readonly string[]): Child[] {
  return tags.flatMap(tag => [
    h('span', { class: 'fmagic-tag' }, `#${tag}`),
    ' '
  ]);
}
