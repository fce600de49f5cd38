/**
 * The log as it stands in a notebook's metadata, `metadata.fmagic`:
 *
 *     {"schema": "fmagic.log/1", "runs": [record, ...], "dropped": {"runs": 20, "until": "..."}}
 *
 * Records are compact and in the order of their start. Python's `fmagic.runs.notebook` reads it.
 */

import { compact } from './compact';
import { isObject, read, type RunRecord, versionOf } from './record';

export const KEY = 'fmagic';
export const SCHEMA = 'fmagic.log/1';
export const MOST_RUNS = 1_000;
export const MOST_CHARACTERS = 2_000_000;

/** How many runs had no place any more, and the start of the latest of them. */
export interface Dropped {
  readonly runs: number;
  readonly until: string;
}

export interface Book {
  readonly schema: typeof SCHEMA;
  readonly runs: readonly RunRecord[];
  readonly dropped?: Dropped;
}

export interface ReadBook {
  readonly runs: readonly RunRecord[];
  readonly dropped: Dropped | null;
  /** Written by a later fmagic: it must be left as it is. */
  readonly newer: boolean;
}

/** Read `metadata.fmagic`; what is no record in it is passed over. */
export function readBook(value: unknown): ReadBook {
  if (!isObject(value)) {
    return { runs: [], dropped: null, newer: false };
  }
  const version = versionOf(value['schema'], 'fmagic.log');
  if (version !== null && version > 1) {
    return { runs: [], dropped: null, newer: true };
  }
  const listed = value['runs'];
  const entries: unknown[] = Array.isArray(listed)
    ? listed
    : isObject(listed)
      ? Object.values(listed)
      : [];
  const runs: RunRecord[] = [];
  let newer = false;
  for (const entry of entries) {
    const reading = read(entry);
    if (reading.is === 'run') {
      runs.push(reading.record);
    } else if (reading.is === 'newer') {
      newer = true;
    }
  }
  return { runs, dropped: readDropped(value['dropped']), newer };
}

/**
 * Return what the metadata should hold of these runs.
 *
 * @param records - all runs that are known, oldest first.
 * @param before - what was dropped so far.
 */
export function writeBook(
  records: readonly RunRecord[],
  before: Dropped | null = null
): Book {
  const runs: RunRecord[] = [];
  let room = MOST_CHARACTERS;
  let first = records.length;
  while (first > 0 && runs.length < MOST_RUNS) {
    const record = records[first - 1];
    const small = record && compacted(record);
    if (!small || small.characters > room) {
      break;
    }
    room -= small.characters;
    runs.push(small.record);
    first -= 1;
  }
  const dropped = addDropped(records.slice(0, first), before);
  return {
    schema: SCHEMA,
    runs: runs.reverse(),
    ...(dropped && { dropped })
  };
}

function addDropped(
  records: readonly RunRecord[],
  before: Dropped | null
): Dropped | null {
  // The outputs of a dropped run may still be there: it must not be counted twice.
  const more = records.filter(record => record.started > (before?.until ?? ''));
  const last = more.at(-1);
  return last
    ? { runs: (before?.runs ?? 0) + more.length, until: last.started }
    : before;
}

function readDropped(value: unknown): Dropped | null {
  if (!isObject(value)) {
    return null;
  }
  const { runs, until } = value as { runs: unknown; until: unknown };
  return Number.isInteger(runs) && typeof until === 'string'
    ? { runs: Number(runs), until }
    : null;
}

interface Small {
  readonly record: RunRecord;
  readonly characters: number;
}

const small = new WeakMap<RunRecord, Small>();

function compacted(record: RunRecord): Small {
  let found = small.get(record);
  if (!found) {
    const made = compact(record);
    found = { record: made, characters: JSON.stringify(made).length };
    small.set(record, found);
  }
  return found;
}
