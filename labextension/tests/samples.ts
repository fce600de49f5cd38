/** The records that the Python tests read too, and some as short as a test can write them. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { read, type RunRecord } from '../src/log/record';

const FIXTURES = join(import.meta.dirname, '../../tests/fixtures');

export function fixture(path: string): unknown {
  return JSON.parse(readFileSync(join(FIXTURES, path), 'utf-8'));
}

/** The fixture records by name. */
export function records(): Record<string, RunRecord> {
  return Object.fromEntries(
    readdirSync(join(FIXTURES, 'runs')).map(file => {
      const reading = read(fixture(`runs/${file}`));
      if (reading.is !== 'run') {
        throw new Error(`${file}: ${JSON.stringify(reading)}`);
      }
      return [file.replace('.json', ''), reading.record];
    })
  );
}

/** Return a fixture record. */
export function record(name: string): RunRecord {
  const found = records()[name];
  if (!found) {
    throw new Error(`no fixture ${name}`);
  }
  return found;
}

/** Return a finished run; a larger number started later. */
export function made(
  number: number,
  fields: Partial<RunRecord> = {}
): RunRecord {
  const minutes = String(number % 60).padStart(2, '0');
  const hours = String(Math.floor(number / 60) % 24).padStart(2, '0');
  return {
    schema: 'fmagic.run/1',
    id: `019aa000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`,
    kind: 'prompt',
    status: 'ok',
    started: `2026-11-21T${hours}:${minutes}:00.000Z`,
    seconds: 1,
    ...fields
  };
}

/** What no page may be made of. */
export const HOSTILE =
  '<img src=x onerror="window.hit=1"><script>window.hit=1</script>' +
  '<a href="javascript:window.hit=1">x</a>\u001b[31mred\u202e';
