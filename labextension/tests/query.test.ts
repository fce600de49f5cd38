import { describe, expect, it } from 'vitest';

import {
  EVERYTHING,
  mainMetric,
  metricNames,
  optionNames,
  type Query,
  select,
  valuesOf
} from '../src/log/query';
import { made, records } from './samples';

const RUNS = [
  made(1, {
    model: { name: 'tiny' },
    template: 'Is this spam?',
    tags: ['baseline'],
    params: { rank: 4, name: 'x' }
  }),
  made(2, {
    kind: 'finetune',
    model: { name: 'tiny' },
    params: { rank: 8 },
    metrics: { loss: 0.5 }
  }),
  made(3, {
    kind: 'evaluate',
    model: { name: 'Qwen/Qwen3-0.6B' },
    metrics: { accuracy: 0.8 }
  }),
  made(4, {
    kind: 'evaluate',
    model: { name: 'tiny', adapter: 'spam-lora' },
    status: 'interrupted'
  }),
  made(5, {
    kind: 'evaluate',
    metrics: { accuracy: 0.9, seconds_each: 1 },
    note: 'Best one',
    tags: ['baseline', 'long']
  })
];

function numbers(query: Partial<Query>): number[] {
  return select(RUNS, { ...EVERYTHING, ascending: true, ...query }).map(run =>
    Number(`0x${run.id.slice(-12)}`)
  );
}

describe('select', () => {
  it.each([
    [{}, [1, 2, 3, 4, 5]],
    [{ ascending: false }, [5, 4, 3, 2, 1]],
    [{ kind: 'evaluate' }, [3, 4, 5]],
    [{ status: 'interrupted' }, [4]],
    [{ text: 'SPAM' }, [1, 4]],
    [{ text: ' best  baseline ' }, [5]],
    [{ text: '019aa000-0000-7000-8000-000000000003' }, [3]],
    [{ text: 'nothing' }, []],
    [{ sort: 'accuracy', ascending: false }, [5, 3, 1, 2, 4]],
    [{ sort: 'accuracy' }, [3, 5, 1, 2, 4]],
    [{ sort: 'rank', ascending: false }, [2, 1, 3, 4, 5]],
    [{ sort: 'model' }, [3, 1, 2, 4, 5]],
    [{ sort: 'nonsense' }, [1, 2, 3, 4, 5]]
  ] as [Partial<Query>, number[]][])('finds and sorts %j', (query, found) => {
    expect(numbers(query)).toEqual(found);
  });
});

describe('names', () => {
  it('has the metrics that say most first, and options that vary', () => {
    expect(metricNames(RUNS)).toEqual(['accuracy', 'loss', 'seconds_each']);
    expect(optionNames(RUNS)).toEqual(['rank']);
    expect(valuesOf(RUNS, 'kind')).toEqual(['evaluate', 'finetune', 'prompt']);
  });

  it('knows the figure of each fixture', () => {
    const found = Object.entries(records()).map(([name, run]) => [
      name,
      mainMetric(run)
    ]);
    expect(Object.fromEntries(found)).toEqual({
      embed: 'rows_per_second',
      error: null,
      evaluate: 'accuracy',
      finetune: 'held_out_loss_after',
      interrupted: null,
      prompt: null,
      prompt_table: 'rows_per_second',
      running: null
    });
  });
});
