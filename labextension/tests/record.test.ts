import { describe, expect, it } from 'vitest';

import { gaveTheSame, isFinished, read, shortId } from '../src/log/record';
import { fixture, made, record, records } from './samples';

describe('read', () => {
  it.each(Object.entries(records()))('takes the fixture %s', (_, run) => {
    expect(read(run)).toEqual({ is: 'run', record: run });
  });

  it.each(fixture('refused.json') as [string, unknown][])(
    'refuses what Python refuses: %s',
    (place, value) => {
      const reading = read({ ...record('prompt'), [place]: value });
      expect(reading.is).not.toBe('run');
      if (reading.is === 'invalid') {
        expect(reading.problem).toBe(place);
      }
    }
  );

  it.each(['schema', 'id', 'kind', 'status', 'started'])(
    'wants %s to be there',
    name => {
      const { [name]: _, ...rest } = { ...record('prompt') } as Record<
        string,
        unknown
      >;
      expect(read(rest).is).toBe('invalid');
    }
  );

  it('tells a later version from what is none', () => {
    expect(read({ schema: 'fmagic.run/3' })).toEqual({
      is: 'newer',
      version: 3
    });
    for (const value of [null, 3, 'x', [], {}, { schema: 'other/1' }]) {
      expect(read(value).is).toBe('invalid');
    }
    expect(read({ schema: 'fmagic.run/0' }).is).toBe('invalid');
  });

  it('keeps fields of the future, and takes null for what is not there', () => {
    const newer = { ...record('prompt'), carbon_grams: 3.5, note: null };
    expect(read(newer)).toEqual({ is: 'run', record: newer });
  });
});

describe('a record', () => {
  it('has a short id and an end', () => {
    expect(shortId(record('prompt').id)).toBe('7a1c0001');
    expect(isFinished(record('prompt'))).toBe(true);
    expect(isFinished(record('running'))).toBe(false);
  });

  it('gave the same as another, or not, or nobody knows', () => {
    const output = (sha256: string) => ({ output: { sha256 } });
    expect(gaveTheSame(made(1, output('a')), made(2, output('a')))).toBe(true);
    expect(gaveTheSame(made(1, output('a')), made(2, output('b')))).toBe(false);
    expect(gaveTheSame(made(1, output('a')), made(2))).toBe(null);
  });
});
