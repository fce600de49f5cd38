/** The union of what outputs and metadata tell of the runs; Python's `merge` again. */

import { isFinished, type RunRecord } from './record';

/** Return the union by id, in the order of the start. */
export function merge(...groups: Iterable<RunRecord>[]): RunRecord[] {
  const best = new Map<string, RunRecord>();
  for (const group of groups) {
    for (const record of group) {
      const other = best.get(record.id);
      best.set(record.id, other ? joined(other, record) : record);
    }
  }
  return [...best.values()].sort(inOrder);
}

/** Order by start, then by id. */
export function inOrder(one: RunRecord, other: RunRecord): number {
  return (
    compareText(one.started, other.started) || compareText(one.id, other.id)
  );
}

/**
 * Return one record of two of the same run, the second found later.
 *
 * An end that was seen counts more than one that was not, then the record with more in it, then the
 * later one. Tags and note are those that were changed last.
 */
export function joined(one: RunRecord, other: RunRecord): RunRecord {
  if (one === other) {
    return one;
  }
  const fuller = isFuller(one, other) ? one : other;
  const rest = fuller === one ? other : one;
  if ((rest.edited ?? '') <= (fuller.edited ?? '')) {
    return fuller;
  }
  return annotated(fuller, rest);
}

/** Return `record` with the tags and the note of `source`. */
export function annotated(record: RunRecord, source: RunRecord): RunRecord {
  // In the order of the schema, so that a file that is written again stays as it was.
  const changed: Record<string, unknown> = {};
  const own = new Set(['tags', 'note', 'edited']);
  const put = (): void => {
    if (source.tags?.length) {
      changed['tags'] = source.tags;
    }
    if (source.note) {
      changed['note'] = source.note;
    }
    if (source.edited) {
      changed['edited'] = source.edited;
    }
  };
  let done = false;
  for (const [name, value] of Object.entries(record)) {
    if (!done && AFTER.has(name)) {
      put();
      done = true;
    }
    if (!own.has(name)) {
      changed[name] = value;
    }
  }
  if (!done) {
    put();
  }
  return changed as unknown as RunRecord;
}

const AFTER = new Set(['rerun', 'environment', 'error']);

function isFuller(one: RunRecord, other: RunRecord): boolean {
  const ends = end(one) - end(other);
  if (ends !== 0) {
    return ends > 0;
  }
  return one.status !== 'running' && leaves(one) > leaves(other);
}

function end(record: RunRecord): number {
  if (record.status === 'running') {
    return 0;
  }
  return isFinished(record) ? 2 : 1;
}

function leaves(value: unknown): number {
  if (Array.isArray(value)) {
    return value.reduce((sum: number, each) => sum + leaves(each), 0);
  }
  if (typeof value === 'object' && value !== null) {
    return leaves(Object.values(value));
  }
  return value === null || value === undefined ? 0 : 1;
}

export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
