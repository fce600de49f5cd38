import { describe, expect, it } from 'vitest';

import {
  brief,
  duration,
  figure,
  moment,
  number,
  shown,
  size,
  visible
} from '../src/log/formats';
import { fixture, HOSTILE } from './samples';

const python = fixture('formats.json') as {
  number: [number, string][];
  size: [number, string][];
  duration: [number, string][];
  figure: [string, number, string][];
};

describe('figures read as in Python', () => {
  it.each(python.number)('number %d', (value, text) => {
    expect(number(value)).toBe(text);
  });
  it.each(python.size)('size %d', (value, text) => {
    expect(size(value)).toBe(text);
  });
  it.each(python.duration)('duration %d', (value, text) => {
    expect(duration(value)).toBe(text);
  });
  it.each(python.figure)('figure %s', (name, value, text) => {
    expect(figure(name, value)).toBe(text);
  });
});

describe('texts', () => {
  it('shows options as one writes them', () => {
    expect(shown(['a', 1, { b: null }])).toBe('["a", 1, {"b": null}]');
    expect(shown(null)).toBe('–');
    expect(shown('plain')).toBe('plain');
  });

  it('makes control characters visible', () => {
    expect(visible('a\r\nb\rc\td')).toBe('a\nb\nc\td');
    expect(visible('\u001b[31m\u007f\u202e')).toBe('␛[31m␡\\u202e');
    expect(visible(HOSTILE)).toContain('<script>');
    expect(visible('x'.repeat(100_010))).toContain('… (10 more characters)');
  });

  it('takes the first line', () => {
    expect(brief(' one\ntwo')).toBe('one');
    expect(brief('x'.repeat(300))).toHaveLength(160);
  });

  it('leaves the day out if it is today', () => {
    const now = new Date(2026, 10, 21, 12, 0);
    const then = new Date(2026, 10, 21, 8, 5);
    const today = moment(then.toISOString(), now);
    const before = moment(then.toISOString(), new Date(2026, 10, 22));
    expect(before).toContain('21');
    expect(before.length).toBeGreaterThan(today.length);
    expect(moment('nonsense')).toBe('nonsense');
  });
});
