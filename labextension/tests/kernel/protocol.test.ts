import { describe, expect, it } from 'vitest';

import { parse } from '../../src/kernel/protocol';
import {
  memory,
  memoryInWords,
  parameters,
  quantization,
  summary
} from '../../src/kernel/wording';
import { MODEL, status } from './status';

describe('parse', () => {
  it('reads a status', () => {
    expect(
      parse(
        status({
          running: { run: 'r', kind: 'prompt', cell: 'c' },
          memory: { used: 12e9, total: 80e9 },
          picker: true
        })
      )
    ).toEqual({
      type: 'status',
      model: {
        name: 'tiny',
        spec: 'tiny',
        kind: 'causal',
        quant: 'none',
        dtype: 'bfloat16',
        device: 'cpu',
        deviceName: 'A processor',
        adapter: null,
        parameters: 5_185_280,
        weightBytes: 10_370_816
      },
      memory: { used: 12e9, total: 80e9 },
      loaded: [expect.objectContaining({ name: 'tiny' })],
      running: { run: 'r', kind: 'prompt', cell: 'c' },
      picker: true
    });
  });

  it('reads a greeting and an answer', () => {
    expect(parse({ version: 1, type: 'hello' })).toEqual({ type: 'hello' });
    expect(
      parse({ version: 1, type: 'stopping', run: 'r', found: true })
    ).toEqual({ type: 'stopping', run: 'r', found: true });
  });

  it('passes over what it does not understand', () => {
    const others: unknown[] = [
      null,
      'status',
      [],
      {},
      { type: 'hello' },
      { version: 2, type: 'hello' },
      { version: 1, type: 'dance' }
    ];
    expect(others.map(parse)).toEqual(others.map(() => null));
  });

  it('takes a status apart that is damaged', () => {
    expect(
      parse({
        version: 1,
        type: 'status',
        model: { name: 7 },
        memory: { used: -1 },
        loaded: [null, { name: 'a', parameters: 'many' }],
        running: { kind: 'prompt' }
      })
    ).toEqual({
      type: 'status',
      model: null,
      memory: null,
      loaded: [expect.objectContaining({ name: 'a', parameters: 0 })],
      running: null,
      picker: false
    });
  });
});

describe('wording', () => {
  const read = (overrides: object): string => {
    const message = parse(status(overrides));
    return message?.type === 'status' ? summary(message) : 'no status';
  };

  it('is one line', () => {
    expect(read({})).toBe('tiny · bfloat16 · 466 MB');
    expect(
      read({
        model: { ...MODEL, name: 'qwen', quant: 'nf4' },
        memory: { used: 12.14e9, total: 79.6e9 }
      })
    ).toBe('qwen · nf4 · 12.1 GB / 79.6 GB');
    expect(read({ memory: null })).toBe('tiny · bfloat16');
    expect(read({ model: null })).toBe('');
  });

  it('says what the memory is of', () => {
    const message = parse(status({}));
    const model = message?.type === 'status' ? message.model : null;
    expect(model).not.toBeNull();
    if (model) {
      expect(memoryInWords({ used: 466e6, total: null }, model)).toBe(
        '466 MB, the whole kernel'
      );
      expect(memoryInWords({ used: 1e9, total: 8e9 }, model)).toBe(
        '1.0 GB of 8.0 GB on A processor'
      );
      expect(quantization({ ...model, quant: 'int8' })).toBe('int8');
    }
    expect(memory({ used: 999_960, total: null })).toBe('1.0 MB');
  });

  it('counts weights', () => {
    expect(parameters(5_185_280)).toBe('5.2M');
    expect(parameters(7_615_616_512)).toBe('7.6B');
  });
});
