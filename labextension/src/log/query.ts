/** Which runs are meant, and in which order. */

import { figure, words } from './formats';
import { compareText } from './merge';
import type { Json, RunRecord } from './record';

// The figure that says most about a run: the first of these that it has.
const MAIN_METRICS = [
  'accuracy',
  'f1',
  'exact_match',
  'held_out_loss_after',
  'eval_loss',
  'held_out_loss',
  'perplexity',
  'loss',
  'rows_per_second'
];

export type Value = string | number;

/** What to look for; an empty field matches every run. */
export interface Query {
  readonly text: string;
  readonly kind: string;
  readonly status: string;
  /** A field, a metric or an option. */
  readonly sort: string;
  readonly ascending: boolean;
}

export const EVERYTHING: Query = {
  text: '',
  kind: '',
  status: '',
  sort: 'started',
  ascending: false
};

const FIELDS: Readonly<
  Record<string, (record: RunRecord) => Value | null | undefined>
> = {
  started: record => record.started,
  seconds: record => record.seconds,
  kind: record => record.kind,
  status: record => record.status,
  model: record => record.model?.name,
  data: record => record.data?.name,
  seed: record => record.seed
};

/** The fields by which runs can be sorted, with what to call them. */
export const SORT_FIELDS: readonly (readonly [string, string])[] = [
  ['started', 'Started'],
  ['seconds', 'Duration'],
  ['kind', 'Kind'],
  ['status', 'Status'],
  ['model', 'Model'],
  ['data', 'Data'],
  ['seed', 'Seed']
];

/** Return the runs that match, in the order asked for; runs without the value come last. */
export function select(
  records: readonly RunRecord[],
  query: Query
): RunRecord[] {
  const wanted = query.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = records.filter(
    record =>
      (!query.kind || record.kind === query.kind) &&
      (!query.status || record.status === query.status) &&
      (wanted.length === 0 || holds(record, wanted))
  );
  const valued: { value: Value; record: RunRecord }[] = [];
  const rest: RunRecord[] = [];
  for (const record of found) {
    const value = valueOf(record, query.sort);
    if (typeof value === 'string' || typeof value === 'number') {
      valued.push({ value, record });
    } else {
      rest.push(record);
    }
  }
  const sign = query.ascending ? 1 : -1;
  valued.sort((one, other) => sign * inValue(one.value, other.value));
  return [...valued.map(each => each.record), ...rest];
}

/** Return a metric, an option or a field of a run by its name. */
export function valueOf(record: RunRecord, name: string): Json | undefined {
  const metric = record.metrics?.[name];
  if (metric !== undefined) {
    return metric;
  }
  const field = FIELDS[name];
  return field ? field(record) : record.params?.[name];
}

/** The metrics of these runs, those that say most first. */
export function metricNames(records: readonly RunRecord[]): string[] {
  const names = new Set<string>();
  for (const record of records) {
    for (const name of Object.keys(record.metrics ?? {})) {
      names.add(name);
    }
  }
  return [
    ...MAIN_METRICS.filter(name => names.delete(name)),
    ...[...names].sort()
  ];
}

/** The options of these runs whose values are numbers and differ. */
export function optionNames(records: readonly RunRecord[]): string[] {
  const values = new Map<string, Set<number>>();
  for (const record of records) {
    for (const [name, value] of Object.entries(record.params ?? {})) {
      if (typeof value === 'number') {
        const known = values.get(name) ?? new Set();
        values.set(name, known.add(value));
      }
    }
  }
  return [...values]
    .filter(([, found]) => found.size > 1)
    .map(([name]) => name)
    .sort();
}

/** All values of a field, in the order of the alphabet. */
export function valuesOf(
  records: readonly RunRecord[],
  field: 'kind' | 'status'
): string[] {
  return [...new Set(records.map(record => record[field]))].sort();
}

/** The name of the figure that says most about a run, `null` if it has none. */
export function mainMetric(record: RunRecord): string | null {
  return (
    MAIN_METRICS.find(name => record.metrics?.[name] !== undefined) ?? null
  );
}

/** A metric of a run as words, `accuracy 93.2%`; empty if it has none such. */
export function metricText(record: RunRecord, name: string | null): string {
  const value = name === null ? undefined : record.metrics?.[name];
  return name === null || value === undefined
    ? ''
    : `${words(name)} ${figure(name, value)}`;
}

function inValue(one: Value, other: Value): number {
  if (typeof one === 'number' && typeof other === 'number') {
    return one - other;
  }
  if (typeof one === 'string' && typeof other === 'string') {
    return compareText(one, other);
  }
  // Text and numbers do not compare with each other.
  return typeof one === 'string' ? 1 : -1;
}

const texts = new WeakMap<RunRecord, string>();

function holds(record: RunRecord, wanted: readonly string[]): boolean {
  let whole = texts.get(record);
  if (whole === undefined) {
    whole = [
      record.id,
      record.kind,
      record.status,
      record.template,
      record.note,
      record.notebook,
      ...(record.tags ?? []),
      record.cell?.source,
      record.model?.name,
      record.model?.adapter,
      record.data?.name,
      record.output?.text,
      record.error?.type,
      record.error?.message
    ]
      .filter(Boolean)
      .join('\n')
      .toLowerCase();
    texts.set(record, whole);
  }
  return wanted.every(word => whole.includes(word));
}
