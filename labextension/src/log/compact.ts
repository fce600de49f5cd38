/** The record as the notebook's metadata keeps it: all that compares, little of what is long. */

import type { Output, Point, RunRecord, Series } from './record';

export const MOST_POINTS = 40;
export const MOST_OUTPUT = 200;
export const MOST_TEXT = 4_000;

/** Return a record of a few kilobytes at most; fields are in the order in which they came. */
export function compact(record: RunRecord): RunRecord {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record) as [
    keyof RunRecord,
    unknown
  ][]) {
    const small = shrink(name, value, record);
    if (small !== undefined && small !== null) {
      kept[name] = small;
    }
  }
  return kept as unknown as RunRecord;
}

function shrink(
  name: keyof RunRecord,
  value: unknown,
  record: RunRecord
): unknown {
  switch (name) {
    case 'series':
      return record.series && thinned(record.series);
    case 'output':
      return record.output && brief(record.output);
    case 'cell':
      // Half a cell would pass for an edited one, and could be run again.
      return (record.cell?.source?.length ?? 0) <= MOST_TEXT
        ? record.cell
        : without({ ...record.cell }, 'source');
    case 'template':
      return cut(record.template ?? '', MOST_TEXT) || null;
    case 'note':
      return cut(record.note ?? '', MOST_TEXT) || null;
    case 'error':
      return (
        record.error && {
          ...record.error,
          message: cut(record.error.message ?? '', MOST_TEXT)
        }
      );
    default:
      return value;
  }
}

/** Return at most `most` of the points, evenly, the first and the last among them. */
export function thin(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) {
    return points;
  }
  const last = points.length - 1;
  return Array.from({ length: most }, (_, place) => {
    const index = Math.round((place * last) / (most - 1));
    return points[index] ?? ([0, 0] as const);
  });
}

function without(part: object, field: string): object {
  return Object.fromEntries(
    Object.entries(part).filter(([name]) => name !== field)
  );
}

function thinned(series: Series): Series {
  return Object.fromEntries(
    Object.entries(series).map(([name, points]) => [
      name,
      thin(points, MOST_POINTS)
    ])
  );
}

function brief(output: Output): Output {
  return typeof output.text === 'string'
    ? { ...output, text: cut(output.text, MOST_OUTPUT) }
    : output;
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
