/** What differs between runs, and how the figures moved. */

import { modelFields, words } from './formats';
import { gaveTheSame, type Json, type RunRecord } from './record';

/** One line of a comparison: a value for each run. */
export interface Row<T> {
  readonly name: string;
  readonly values: readonly (T | undefined)[];
}

export interface Comparison {
  readonly runs: readonly RunRecord[];
  /** Fields whose values differ: `options: seed`, `model: quant`, `status`, ... */
  readonly changed: readonly Row<Json>[];
  /** All figures of any of the runs. */
  readonly metrics: readonly Row<number>[];
  /** Parts that are alike in all. */
  readonly same: readonly string[];
  /** For each run after the first: whether its output is that of the first. */
  readonly sameOutput: readonly (boolean | null)[];
}

type Text = 'template' | 'cell';

/** Compare runs with the first of them. */
export function compare(runs: readonly RunRecord[]): Comparison {
  const groups: [string, Record<string, Json | undefined>[]][] = [
    ['options', runs.map(run => ({ ...run.params, seed: run.seed ?? null }))],
    ['model', runs.map(run => modelFields(run.model))],
    ['data', runs.map(run => fields(run.data))],
    ['environment', runs.map(run => fields(run.environment))]
  ];
  const changed: Row<Json>[] = [];
  const same: string[] = [];
  const statuses = runs.map(run => run.status);
  if (!alike(statuses)) {
    changed.push({ name: 'status', values: statuses });
  }
  for (const [group, parts] of groups) {
    const rows = namesOf(parts)
      .map(name => ({
        name: `${group}: ${words(name)}`,
        values: parts.map(part => part[name])
      }))
      .filter(row => !alike(row.values));
    changed.push(...rows);
    if (rows.length === 0 && parts.some(isTold)) {
      same.push(group);
    }
  }
  for (const title of ['template', 'cell'] as const) {
    const texts = runs.map(run => textOf(run, title));
    if (texts[0] && alike(texts)) {
      same.push(title);
    }
  }
  const [first, ...others] = runs;
  return {
    runs,
    changed,
    metrics: namesOf(runs.map(run => run.metrics ?? {})).map(name => ({
      name,
      values: runs.map(run => run.metrics?.[name])
    })),
    same,
    sameOutput: first ? others.map(run => gaveTheSame(first, run)) : []
  };
}

/** The template of a run, or the source of its cell; empty if it has none. */
export function textOf(record: RunRecord, title: Text): string {
  return (title === 'template' ? record.template : record.cell?.source) ?? '';
}

/** How far a figure moved: by how much, and by which share of what it was. */
export function moved(
  before: number | undefined,
  after: number | undefined
): { by: number; share: number | null } | null {
  if (before === undefined || after === undefined || before === after) {
    return null;
  }
  const by = after - before;
  return { by, share: before === 0 ? null : by / Math.abs(before) };
}

function fields(part: object | null | undefined): Record<string, Json> {
  return { ...(part as Record<string, Json> | null) };
}

function namesOf(parts: readonly object[]): string[] {
  return [...new Set(parts.flatMap(part => Object.keys(part)))];
}

function isTold(part: Record<string, Json | undefined>): boolean {
  return Object.values(part).some(value => value !== null);
}

function alike(values: readonly (Json | undefined)[]): boolean {
  // What is null and what is not there are one.
  const texts = values.map(value => JSON.stringify(value ?? null));
  return texts.every(text => text === texts[0]);
}
