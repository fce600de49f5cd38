import { describe, expect, it } from 'vitest';

import {
  MOST_CHARACTERS,
  MOST_RUNS,
  readBook,
  SCHEMA,
  writeBook
} from '../src/log/book';
import {
  compact,
  MOST_OUTPUT,
  MOST_POINTS,
  MOST_TEXT
} from '../src/log/compact';
import { read } from '../src/log/record';
import { made, record, records } from './samples';

const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, place) => made(from + place));

describe('the book in the metadata', () => {
  it('comes back as it was written', () => {
    const runs = Object.values(records());
    const book = writeBook(runs);
    expect(book.schema).toBe(SCHEMA);
    const again = readBook(JSON.parse(JSON.stringify(book)));
    expect(again.runs).toEqual(book.runs);
    expect(again).toMatchObject({ dropped: null, newer: false });
    expect(writeBook(again.runs)).toEqual(book);
  });

  it('keeps the latest thousand and counts the rest once', () => {
    const runs = many(MOST_RUNS + 20);
    const book = writeBook(runs);
    expect(book.runs).toHaveLength(MOST_RUNS);
    expect(book.runs.at(-1)).toEqual(runs.at(-1));
    expect(book.dropped).toEqual({ runs: 20, until: runs[19]?.started });
    // The outputs of the dropped ones are still there.
    expect(writeBook(runs, book.dropped)).toEqual(book);
    const later = writeBook([...book.runs, made(MOST_RUNS + 20)], book.dropped);
    expect(later.dropped?.runs).toBe(21);
  });

  it('is of bounded size', () => {
    const runs = many(MOST_RUNS).map(run => ({
      ...run,
      template: 'x'.repeat(MOST_TEXT)
    }));
    const book = writeBook(runs);
    expect(JSON.stringify(book).length).toBeLessThan(MOST_CHARACTERS * 1.01);
    expect(book.dropped?.runs).toBe(MOST_RUNS - book.runs.length);
  });

  it('reads what others may have put there', () => {
    const run = record('prompt');
    expect(readBook({ runs: { [run.id]: run } }).runs).toEqual([run]);
    expect(readBook({ runs: [null, 3, { x: 1 }, run] }).runs).toEqual([run]);
    for (const value of [undefined, null, 3, [], {}, { runs: 3 }]) {
      expect(readBook(value)).toEqual({
        runs: [],
        dropped: null,
        newer: false
      });
    }
    expect(readBook({ dropped: { runs: 'many' } }).dropped).toBe(null);
  });

  it('knows a later format', () => {
    expect(readBook({ schema: 'fmagic.log/2', runs: 'x' }).newer).toBe(true);
    const run = { ...record('prompt'), schema: 'fmagic.run/2' };
    expect(readBook({ runs: [run, record('embed')] })).toMatchObject({
      newer: true,
      runs: [record('embed')]
    });
  });
});

describe('a compact record', () => {
  it.each(Object.entries(records()))('of %s is a record', (_, run) => {
    const small = compact(run);
    expect(read(small).is).toBe('run');
    expect(JSON.stringify(small).length).toBeLessThan(3_000);
    expect(compact(small)).toEqual(small);
    expect(small.metrics).toEqual(run.metrics);
    expect(small.cell).toEqual(run.cell);
  });

  it('is short where the run is long', () => {
    const long = 'word '.repeat(5_000);
    const points = Array.from(
      { length: 500 },
      (_, step) => [step, 1 / (step + 1)] as const
    );
    const small = compact(
      made(1, {
        cell: { source: long, id: 'a' },
        template: long,
        note: long,
        output: { text: long, sha256: 'f' },
        series: { loss: points },
        error: { type: 'E', message: long }
      })
    );
    expect(small.cell).toEqual({ id: 'a' });
    expect(small.template).toHaveLength(MOST_TEXT);
    expect(small.output?.text).toHaveLength(MOST_OUTPUT);
    expect(small.series?.['loss']).toHaveLength(MOST_POINTS);
    expect(small.series?.['loss']?.[0]).toEqual(points[0]);
    expect(small.series?.['loss']?.at(-1)).toEqual(points.at(-1));
    expect(small.output?.sha256).toBe('f');
    expect(read(JSON.parse(JSON.stringify(small))).is).toBe('run');
  });
});
