import { describe, expect, it } from 'vitest';

import { children, staleness } from '../src/log/lineage';
import type { RunRecord } from '../src/log/record';
import { made, record } from './samples';

const cell = (source: string, id = 'a') => ({ cell: { id, source } });

function stale(
  runs: RunRecord[],
  sources: Record<string, string> = {}
): Record<string, string[]> {
  return Object.fromEntries(staleness(runs, new Map(Object.entries(sources))));
}

describe('staleness', () => {
  it('marks a run whose cell was edited', () => {
    const [old, now] = [
      made(1, cell('%%prompt\nold')),
      made(2, cell('%%prompt\nnew'))
    ];
    expect(stale([old, now])).toEqual({ [old.id]: ['cell edited'] });
    expect(Object.keys(stale([old, now], { a: 'newest' }))).toHaveLength(2);
    expect(stale([now], { a: '%%prompt\nnew\n', b: 'other' })).toEqual({});
  });

  it('takes what the kernel replaced for no edit', () => {
    const masked = made(1, cell('key = "•••"'));
    expect(stale([masked], { a: 'key = "sesame"' })).toEqual({});
    const path = made(1, cell('%%prompt --data reviews.csv'));
    const typed = '%%prompt --data /home/ann/data/reviews.csv';
    expect(stale([path], { a: typed })).toEqual({});
    const cut = made(
      1,
      cell(`long… [9 more characters, sha256 ${'a'.repeat(64)}]`)
    );
    expect(stale([cut], { a: 'long and more' })).toEqual({});
  });

  it('marks a run on rows that changed', () => {
    const data = (name: string, digit: string) => ({
      data: { name, sha256: digit.repeat(64) }
    });
    const runs = [
      made(1, data('train', '1')),
      made(2, data('test', '2')),
      made(3, data('train', '3'))
    ];
    expect(stale(runs)).toEqual({ [made(1).id]: ['data changed'] });
    const unnamed = [
      made(1, data('(unnamed)', '1')),
      made(2, data('(unnamed)', '2'))
    ];
    expect(stale(unnamed)).toEqual({});
  });

  it('marks scores of a model that was tuned anew', () => {
    const tuned = { kind: 'finetune', params: { name: 'lora' } };
    const first = made(1, tuned);
    const score = made(2, { kind: 'evaluate', parents: [first.id] });
    const again = made(3, tuned);
    const later = made(4, { kind: 'evaluate', parents: [again.id] });
    expect(stale([first, score, again, later])).toEqual({
      [score.id]: ['parent superseded']
    });
    const stopped = made(3, {
      ...tuned,
      status: 'interrupted',
      output: { sha256: '1'.repeat(64) }
    });
    const newer = made(4, { kind: 'evaluate', parents: [stopped.id] });
    expect(stale([first, score, stopped, newer])).toEqual({
      [score.id]: ['parent superseded']
    });
    const failed = made(3, { ...tuned, status: 'error' });
    expect(stale([first, score, failed])).toEqual({});
  });

  it('marks what builds on a stale run', () => {
    const first = made(1, { kind: 'finetune', ...cell('old') });
    const score = made(2, { kind: 'evaluate', parents: [first.id] });
    expect(stale([first, score], { a: 'new' })).toEqual({
      [first.id]: ['cell edited'],
      [score.id]: ['parent stale']
    });
  });
});

describe('children', () => {
  it('finds what builds on a run', () => {
    const runs = [record('finetune'), record('evaluate')];
    expect(children(record('finetune'), runs)).toEqual([record('evaluate')]);
    expect(children(record('evaluate'), runs)).toEqual([]);
  });
});
