/** Numbers, sizes, times and texts as people read them; Python's `fmagic.views.formats` again. */

import type { Json, Model, RunRecord } from './record';

const NOTHING = '–';
const GROUPED = 10_000;
const SMALLEST = 1e-4;
const LARGEST = 1e15;

/** A number with four significant digits, or with all of a whole one's. */
export function number(value: number): string {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  }
  const size = Math.abs(value);
  if (value !== 0 && (size < SMALLEST || size >= LARGEST)) {
    return exponential(value);
  }
  if (Number.isInteger(value) || size >= GROUPED) {
    return grouped(Math.round(value));
  }
  return Number(value.toPrecision(4))
    .toFixed(6)
    .replace(/\.?0+$/, '');
}

/** Bytes in decimal units: `1.4 GB`. */
export function size(count: number): string {
  if (!Number.isFinite(count)) {
    return NOTHING;
  }
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  for (const unit of units) {
    const digits = unit === 'B' || Math.abs(value) >= 100 ? 0 : 1;
    const shown = Number(value.toFixed(digits));
    if (Math.abs(shown) < 1000 || unit === 'TB') {
      const few = unit !== 'B' && Math.abs(shown) < 100;
      return `${few ? shown.toFixed(1) : grouped(shown)} ${unit}`;
    }
    value /= 1000;
  }
  return NOTHING;
}

/** A time in its natural unit: `85 ms`, `4.2 s`, `3 min 05 s`, `2 h 04 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) {
    return NOTHING;
  }
  if (seconds < 0.9995) {
    return `${(seconds * 1000).toFixed(0)} ms`;
  }
  if (seconds < 59.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) {
    return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  }
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** The figure of a metric in its unit. */
export function figure(name: string, value: number): string {
  if (name.endsWith('_bytes') && value >= 0) {
    return size(value);
  }
  if (name.endsWith('seconds') && value >= 0) {
    return duration(value);
  }
  if (name.startsWith('accuracy') && value >= 0 && value <= 1) {
    return `${(value * 100).toFixed(1)}%`;
  }
  return number(value);
}

/** An option or a field as one writes it. */
export function shown(value: Json | undefined): string {
  if (value === undefined || value === null) {
    return NOTHING;
  }
  return typeof value === 'string' ? value : written(value);
}

/** A name of the format as words. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}

/** The fields of a model as they are read: its licence is one line, what it asks another. */
export function modelFields(
  model: Model | null | undefined
): Record<string, Json> {
  const { license, ...rest } = model ?? {};
  const fields = { ...rest } as Record<string, Json>;
  if (license) {
    const kind = license.class === license.id ? null : license.class;
    fields['license'] = kind ? `${license.id} (${kind})` : license.id;
    if (license.conditions) {
      fields['the licence asks'] = license.conditions;
    }
  }
  return fields;
}

/** How the model was loaded: its quantization, or without one its type of numbers. */
export function precision(record: RunRecord): string | null {
  const model = record.model;
  if (!model) {
    return null;
  }
  const plain = !model.quant || model.quant === 'none';
  return (plain ? model.dtype : model.quant) ?? null;
}

/** When it was, in local time: with the day unless that is today's. */
export function moment(started: string, now: Date = new Date()): string {
  const time = new Date(started);
  if (Number.isNaN(time.getTime())) {
    return started;
  }
  const today = time.toDateString() === now.toDateString();
  const clock: Intl.DateTimeFormatOptions = {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23'
  };
  return today
    ? time.toLocaleTimeString(undefined, clock)
    : time.toLocaleString(undefined, {
        day: 'numeric',
        month: 'short',
        ...clock
      });
}

// Control characters but tab and line feed; marks that turn the direction of what follows.
const CONTROL =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ufffe\uffff]/g;
const LONGEST = 100_000;

/** Hostile text made readable: line ends alike, control characters as their pictures. */
export function visible(text: string): string {
  const more = text.length - LONGEST;
  const kept =
    more > 0
      ? `${text.slice(0, LONGEST)}… (${grouped(more)} more characters)`
      : text;
  return kept.replace(/\r\n?/g, '\n').replace(CONTROL, picture);
}

/** The first line of a text, in at most `most` characters. */
export function brief(text: string, most = 160): string {
  const line = (text.trim().split('\n', 1)[0] ?? '').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}

function picture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) {
    return String.fromCharCode(0x2400 + code);
  }
  return code === 0x7f ? '\u2421' : `\\u${code.toString(16).padStart(4, '0')}`;
}

function written(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map(written).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(
      ([name, each]) => `${JSON.stringify(name)}: ${written(each)}`
    );
    return `{${pairs.join(', ')}}`;
  }
  return JSON.stringify(value);
}

function exponential(value: number): string {
  const text = Number(value.toPrecision(3)).toExponential();
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function grouped(value: number): string {
  const text = value.toFixed(0);
  return Math.abs(value) >= GROUPED
    ? text.replace(/\B(?=(\d{3})+$)/g, ',')
    : text;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
