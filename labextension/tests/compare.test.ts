import { describe, expect, it } from 'vitest';

import { compare, moved } from '../src/log/compare';
import { wordChanges } from '../src/log/words';
import { made } from './samples';

const ONE = made(1, {
  kind: 'evaluate',
  template: 'user:\nIs it good?\n',
  params: { max_tokens: 8, choices: ['a', 'b'] },
  seed: 1,
  model: { name: 'tiny', quant: 'none' },
  data: { name: 'test', sha256: '1'.repeat(64) },
  environment: { torch: '2.13.0' },
  metrics: { accuracy: 0.8, n: 250 },
  output: { text: 'a', sha256: 'a'.repeat(64) }
});

describe('compare', () => {
  it('tells what changed and how the figures moved', () => {
    const other = {
      ...ONE,
      id: made(2).id,
      seed: 2,
      template: 'user:\nIs it bad?\n',
      model: { name: 'tiny', quant: 'nf4' },
      metrics: { accuracy: 0.9, n: 250, f1: 0.5 }
    };
    const found = compare([ONE, other]);
    expect(found.changed).toEqual([
      { name: 'options: seed', values: [1, 2] },
      { name: 'model: quant', values: ['none', 'nf4'] }
    ]);
    expect(found.metrics).toEqual([
      { name: 'accuracy', values: [0.8, 0.9] },
      { name: 'n', values: [250, 250] },
      { name: 'f1', values: [undefined, 0.5] }
    ]);
    expect(found.same).toEqual(['data', 'environment']);
    expect(found.sameOutput).toEqual([true]);
  });

  it('compares three', () => {
    const found = compare([ONE, ONE, { ...ONE, seed: 3, status: 'error' }]);
    expect(found.changed).toEqual([
      { name: 'status', values: ['ok', 'ok', 'error'] },
      { name: 'options: seed', values: [1, 1, 3] }
    ]);
  });

  it('takes null for what is not there', () => {
    const { seed: _, ...rest } = ONE;
    expect(compare([rest, { ...ONE, seed: null }]).changed).toEqual([]);
    expect(compare([]).changed).toEqual([]);
  });

  it('moves by a share, if there is one', () => {
    expect(moved(0.8, 0.9)?.share).toBeCloseTo(0.125);
    expect(moved(-2, -1)).toEqual({ by: 1, share: 0.5 });
    expect(moved(0, 1)).toEqual({ by: 1, share: null });
    expect(moved(1, 1)).toBe(null);
    expect(moved(undefined, 1)).toBe(null);
  });
});

describe('wordChanges', () => {
  const plain = (before: string, after: string): string =>
    wordChanges(before, after)
      .map(([change, text]) =>
        change === 'same'
          ? text
          : change === 'out'
            ? `[-${text}-]`
            : `{+${text}+}`
      )
      .join('');

  it.each([
    ['', '', ''],
    ['same text', 'same text', 'same text'],
    ['a red fox', 'a grey fox', 'a [-red-]{+grey+} fox'],
    ['one', 'one two', 'one{+ two+}'],
    ['good?\n', 'good!\n', 'good[-?-]{+!+}\n'],
    ['', 'new', '{+new+}'],
    ['old', '', '[-old-]'],
    ['über {{ text }}', 'über {{ texts }}', 'über {{ [-text-]{+texts+} }}']
  ])('marks %j to %j', (before, after, marked) => {
    expect(plain(before, after)).toBe(marked);
  });

  it('gives both texts back, also when they are long or have nothing in common', () => {
    const before = Array.from(
      { length: 3_000 },
      (_, line) => `line ${line} of many\n`
    ).join('');
    const after = before.replace('line 7 of', 'line seven of');
    const other = before.replaceAll('line', 'row').replaceAll('many', 'few');
    for (const to of [after, other, 'x'.repeat(10_000)]) {
      const found = wordChanges(before, to);
      const kept = (left: string) =>
        found
          .filter(([change]) => change !== left)
          .map(([, text]) => text)
          .join('');
      expect(kept('in')).toBe(before);
      expect(kept('out')).toBe(to);
    }
    expect(wordChanges(before, after)).toHaveLength(4);
  });

  it('gives random texts back', () => {
    let state = 7;
    const next = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    const text = (): string =>
      Array.from({ length: next(30) }, () => 'abc'[next(3)]).join(' ');
    for (let round = 0; round < 200; round += 1) {
      const [before, after] = [text(), text()];
      const found = wordChanges(before, after);
      const old = found.filter(([change]) => change !== 'in');
      const now = found.filter(([change]) => change !== 'out');
      expect(old.map(([, each]) => each).join('')).toBe(before);
      expect(now.map(([, each]) => each).join('')).toBe(after);
    }
  });
});
