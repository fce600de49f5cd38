/** What a run builds on, what builds on it, and whether it still tells what its cell would do. */

import type { RunRecord } from './record';

/** The runs that build on this one. */
export function children(
  record: RunRecord,
  records: readonly RunRecord[]
): RunRecord[] {
  return records.filter(each => each.parents?.includes(record.id));
}

/** Name of a table that was handed over without one. */
const UNNAMED = '(unnamed)';

/** Text of a cell of the notebook by its id, as it is now. */
export type Sources = ReadonlyMap<string, string>;

/**
 * Why runs are stale, by id: the rules of Python's `fmagic.runs.staleness`.
 *
 * @param records - the runs of one notebook, oldest first.
 */
export function staleness(
  records: readonly RunRecord[],
  sources: Sources
): Map<string, string[]> {
  const data = new Map<string, string>();
  const tuned = new Map<string, string>();
  const latest = new Map<string, string>();
  const known = new Map<string, RunRecord>();
  for (const record of records) {
    known.set(record.id, record);
    if (record.data?.sha256 && record.data.name !== UNNAMED) {
      data.set(record.data.name, record.data.sha256);
    }
    const name = tunedName(record);
    // One that was stopped has an output too if its best weights were saved.
    const saved = record.status === 'ok' || record.output;
    if (record.kind === 'finetune' && saved && name) {
      tuned.set(name, record.id);
    }
    if (record.cell?.id && record.cell.source) {
      latest.set(record.cell.id, record.cell.source);
    }
  }
  const isEdited = ({ cell }: RunRecord): boolean => {
    if (!cell?.id || !cell.source) {
      return false;
    }
    const now = sources.get(cell.id) ?? latest.get(cell.id) ?? cell.source;
    return !isWritten(now, cell.source);
  };
  const isSuperseded = (id: string): boolean => {
    const name = tunedName(known.get(id));
    return !!name && (tuned.get(name) ?? id) !== id;
  };
  const found = new Map<string, string[]>();
  for (const record of records) {
    const reasons: string[] = [];
    if (isEdited(record)) {
      reasons.push('cell edited');
    }
    const { name, sha256 } = record.data ?? {};
    if (name && sha256 && (data.get(name) ?? sha256) !== sha256) {
      reasons.push('data changed');
    }
    if (record.parents?.some(isSuperseded)) {
      reasons.push('parent superseded');
    }
    // Parents come before their children, so their reasons are known here.
    if (!reasons.length && record.parents?.some(parent => found.has(parent))) {
      reasons.push('parent stale');
    }
    if (reasons.length) {
      found.set(record.id, reasons);
    }
  }
  return found;
}

function tunedName(record: RunRecord | undefined): string | null {
  const name = record?.params?.['name'];
  return typeof name === 'string' ? name : null;
}

// What the kernel writes in the place of a secret, of a long rest, and of a path.
const REPLACED = /•••|… \[[\d,]+ more characters, sha256 [0-9a-f]{64}\]$/;
const PATH = /(?<![\w.~:/-])~?(?:\/[\w.@+-]+)*\/([\w.@+-]+)/g;

/** Whether `written`, of a record, is what the kernel makes of a source. */
function isWritten(source: string, written: string): boolean {
  const [now, then] = [source.trim(), written.trim()];
  // Only the kernel knows the secrets: where some were masked, no edit is claimed.
  return (
    now === then || REPLACED.test(then) || now.replace(PATH, '$1') === then
  );
}
