/** Everything that a record tells, in sections. */

import { figure, modelFields, shown, words } from '../log/formats';
import { type Json, type RunRecord, shortId } from '../log/record';
import { curve } from './curve';
import { h } from './dom';

/** How a run is named and, where there is one, how to get to it. */
export type RunLink = (id: string) => Node;

export type Pair = readonly [name: string, value: Node | string];

/**
 * Return the sections of a run.
 *
 * @param link - how another run is shown; as its short id if not given.
 */
export function sections(
  record: RunRecord,
  link: RunLink = plainLink
): HTMLElement[] {
  return [
    ...notices(record),
    ...failure(record),
    ...output(record),
    ...pairsOf('Figures', figures(record)),
    ...curves(record),
    ...pairsOf('Builds on', lineage(record, link)),
    ...textOf('Template', record.template),
    ...pairsOf('Options', options(record)),
    ...pairsOf('Model', fields(modelFields(record.model))),
    ...pairsOf('Data', fields(record.data)),
    ...cell(record),
    ...pairsOf('Environment', fields(record.environment)),
    ...pairsOf('Run', about(record))
  ];
}

export function section(title: string, ...content: Node[]): HTMLElement {
  return h(
    'section',
    { class: 'fmagic-section' },
    h('h4', {}, title),
    ...content
  );
}

/** Names and values, a pair a line. */
export function pairs(listed: readonly Pair[]): HTMLElement {
  return h(
    'dl',
    { class: 'fmagic-pairs' },
    ...listed.flatMap(([name, value]) => [
      h('dt', {}, name),
      h('dd', { attrs: { dir: 'auto' } }, value)
    ])
  );
}

/** A text as it was written; it scrolls if it is long. */
export function verbatim(text: string): HTMLElement {
  return h(
    'pre',
    { class: 'fmagic-text', attrs: { dir: 'auto', tabindex: '0' } },
    text
  );
}

function plainLink(id: string): Node {
  return h('code', { title: id }, shortId(id));
}

function notices(record: RunRecord): HTMLElement[] {
  return record.notices?.length
    ? [section('Notes', verbatim(record.notices.join('\n')))]
    : [];
}

function failure(record: RunRecord): HTMLElement[] {
  if (!record.error) {
    return [];
  }
  const { type, message } = record.error;
  return [section('Error', verbatim(message ? `${type}: ${message}` : type))];
}

function lineage(record: RunRecord, link: RunLink): Pair[] {
  const listed: Pair[] = [];
  if (record.parents?.length) {
    listed.push(['runs', h('span', {}, ...spaced(record.parents, link))]);
  }
  if (record.rerun) {
    const same = record.rerun.same_output;
    const said =
      same === null || same === undefined
        ? 'no text to compare'
        : same
          ? 'the same output'
          : 'its output drifted';
    listed.push([
      'rerun of',
      h('span', {}, link(record.rerun.of), `: ${said}`)
    ]);
  }
  return listed;
}

function about(record: RunRecord): Pair[] {
  const listed: Pair[] = [
    ['id', h('code', {}, record.id)],
    ['started', record.started.replace('T', ' ').replace('Z', ' UTC')]
  ];
  if (record.notebook) {
    listed.push(['notebook', record.notebook]);
  }
  if (record.output?.sha256) {
    listed.push(['output sha256', h('code', {}, record.output.sha256)]);
  }
  return listed;
}

function spaced(ids: readonly string[], link: RunLink): Node[] {
  return ids.flatMap((id, place) =>
    place === 0 ? [link(id)] : [document.createTextNode(' '), link(id)]
  );
}

function output(record: RunRecord): HTMLElement[] {
  const found = textOf('Output', record.output?.text);
  return [...found, ...pairsOf('Output table', fields(record.output?.table))];
}

function figures(record: RunRecord): Pair[] {
  return Object.entries(record.metrics ?? {}).map(([name, value]) => [
    words(name),
    figure(name, value)
  ]);
}

function curves(record: RunRecord): HTMLElement[] {
  const lines = Object.entries(record.series ?? {}).map(([name, points]) => ({
    name: words(name),
    points
  }));
  const drawn = curve(lines, 'Curves of this run');
  return drawn ? [section('Curves', drawn)] : [];
}

function options(record: RunRecord): Pair[] {
  const seed: Pair[] =
    typeof record.seed === 'number' ? [['seed', String(record.seed)]] : [];
  return [...fields(record.params), ...seed];
}

function cell(record: RunRecord): HTMLElement[] {
  const { source } = record.cell ?? {};
  // Mostly the cell is the line of the magic over the template, which is there already.
  const line = source?.split('\n', 1)[0] ?? '';
  const isRest = source?.slice(line.length + 1) === record.template;
  return textOf('Cell', isRest ? line : source);
}

function textOf(title: string, text: string | null | undefined): HTMLElement[] {
  return text ? [section(title, verbatim(text))] : [];
}

function pairsOf(title: string, listed: readonly Pair[]): HTMLElement[] {
  return listed.length > 0 ? [section(title, pairs(listed))] : [];
}

function fields(part: object | null | undefined): Pair[] {
  return Object.entries((part ?? {}) as Record<string, Json>)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [words(name), shown(value)]);
}
