import { describe, expect, it } from 'vitest';

import { annotated, joined, merge } from '../src/log/merge';
import { read } from '../src/log/record';
import { made, record, records } from './samples';

describe('merge', () => {
  it('unites by id, in the order of the start', () => {
    const all = Object.values(records());
    const found = merge(all.slice(4), all.slice(0, 6));
    expect(found).toHaveLength(all.length);
    const times = found.map(run => run.started);
    expect(times).toEqual([...times].sort());
  });

  it('keeps the fuller of two, whatever the order', () => {
    const begun = made(1, {
      status: 'running',
      seconds: null,
      params: { a: 1, b: 2, c: 3 }
    });
    const guessed = { ...begun, status: 'interrupted' as const };
    const compact = made(1);
    const whole = made(1, { note: 'n' });
    const steps = [begun, guessed, compact, whole];
    steps.forEach((fuller, place) => {
      for (const other of steps.slice(0, place)) {
        expect(merge([fuller], [other])).toEqual([fuller]);
        expect(merge([other], [fuller])).toEqual([fuller]);
      }
    });
  });

  it('takes the later of two equal ones', () => {
    const [first, second] = [made(1, { seed: 1 }), made(1, { seed: 2 })];
    expect(joined(first, second)).toBe(second);
  });

  it('takes tags and note from where they were changed last', () => {
    const whole = record('finetune');
    const small = made(1, {
      id: whole.id,
      tags: ['best'],
      note: 'good',
      edited: '2026-11-22T08:00:00.000Z'
    });
    for (const found of [joined(whole, small), joined(small, whole)]) {
      expect(found.note).toBe('good');
      expect(found.tags).toEqual(['best']);
      expect(found.series).toEqual(whole.series);
      expect(read(found).is).toBe('run');
    }
    const gone = made(1, { id: whole.id, edited: '2026-11-23T08:00:00.000Z' });
    const last = joined(joined(whole, small), gone);
    expect(last.note).toBeUndefined();
    expect(last.tags).toBeUndefined();
  });

  it('puts what was changed where the schema has it', () => {
    const names = Object.keys(
      annotated(record('finetune'), made(1, { tags: ['a'], edited: 'x' }))
    );
    expect(names.slice(-3)).toEqual(['tags', 'edited', 'environment']);
  });
});
