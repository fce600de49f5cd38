/**
 * The record of one run, `fmagic.run/1`, as Python's `fmagic/runs/schema` has it.
 *
 * What comes in is whatever a notebook holds; `read` tells records from the rest.
 */

export const RUN_MIME = 'application/vnd.fmagic.run.v1+json';
export const VERSION = 1;

export const STATUSES = ['running', 'ok', 'error', 'interrupted'] as const;
export type Status = (typeof STATUSES)[number];

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json };

export type Fields = Readonly<Record<string, Json>>;
export type Point = readonly [step: number, value: number];
export type Series = Readonly<Record<string, readonly Point[]>>;

export interface Cell {
  readonly source?: string | null;
  readonly execution_count?: number | null;
  readonly id?: string | null;
}

export interface Model {
  readonly name: string;
  readonly revision?: string | null;
  readonly quant?: string | null;
  readonly dtype?: string | null;
  readonly device?: string | null;
  readonly adapter?: string | null;
  readonly license?: License | null;
}

/** What the model's licence asks of its user. */
export interface License {
  readonly id: string;
  readonly class?: string | null;
  readonly conditions?: string | null;
  readonly url?: string | null;
}

export interface Data {
  readonly name: string;
  readonly rows?: number | null;
  readonly columns?: readonly string[] | null;
  readonly sha256?: string | null;
}

export interface Output {
  readonly text?: string | null;
  readonly table?: Fields | null;
  readonly sha256?: string | null;
}

export interface Rerun {
  readonly of: string;
  readonly same_output?: boolean | null;
}

export interface RunError {
  readonly type: string;
  readonly message?: string;
}

export interface RunRecord {
  readonly schema: 'fmagic.run/1';
  readonly id: string;
  readonly kind: string;
  readonly status: Status;
  readonly started: string;
  readonly seconds?: number | null;
  readonly cell?: Cell | null;
  readonly notebook?: string | null;
  readonly model?: Model | null;
  readonly template?: string | null;
  readonly params?: Fields;
  readonly seed?: number | null;
  readonly data?: Data | null;
  readonly output?: Output | null;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly series?: Series;
  readonly notices?: readonly string[];
  readonly parents?: readonly string[];
  readonly tags?: readonly string[];
  readonly note?: string | null;
  readonly edited?: string | null;
  readonly rerun?: Rerun | null;
  readonly environment?: Fields | null;
  readonly error?: RunError | null;
}

/** What a piece of JSON turned out to be. */
export type Reading =
  | { readonly is: 'run'; readonly record: RunRecord }
  | { readonly is: 'newer'; readonly version: number }
  | { readonly is: 'invalid'; readonly problem: string };

/** Tell what a value is; nothing in it is changed, and fields that are not known are kept. */
export function read(value: unknown): Reading {
  if (!isObject(value)) {
    return { is: 'invalid', problem: 'not an object' };
  }
  const version = versionOf(value['schema']);
  if (version === null) {
    return { is: 'invalid', problem: 'schema is not fmagic.run/N' };
  }
  if (version > VERSION) {
    return { is: 'newer', version };
  }
  for (const [name, check] of Object.entries(FIELDS)) {
    if (!check(value[name])) {
      return { is: 'invalid', problem: name };
    }
  }
  return { is: 'run', record: value as unknown as RunRecord };
}

/** Return the version in `fmagic.run/3` or the like of `family`; `null` if there is none. */
export function versionOf(
  schema: unknown,
  family = 'fmagic.run'
): number | null {
  if (typeof schema !== 'string' || !schema.startsWith(`${family}/`)) {
    return null;
  }
  const digits = schema.slice(family.length + 1);
  return /^[1-9]\d{0,3}$/.test(digits) ? Number(digits) : null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The last eight characters of an id: the first ones are alike in runs of one day. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** Whether the run was seen to end. */
export function isFinished(record: RunRecord): boolean {
  return record.status !== 'running' && typeof record.seconds === 'number';
}

/** Whether two runs gave the same text; `null` if that of one is not known. */
export function gaveTheSame(one: RunRecord, other: RunRecord): boolean | null {
  const [first, second] = [one.output?.sha256, other.output?.sha256];
  return first && second ? first === second : null;
}

type Check = (value: unknown) => boolean;

const text: Check = value => typeof value === 'string';
const number: Check = value => typeof value === 'number';
const whole: Check = value => Number.isInteger(value);
const flag: Check = value => typeof value === 'boolean';

function like(pattern: RegExp): Check {
  return value => typeof value === 'string' && pattern.test(value);
}

function may(check: Check): Check {
  return value => value === undefined || value === null || check(value);
}

/** What may be missing, but if it is there it is not null. */
function lacking(check: Check): Check {
  return value => value === undefined || check(value);
}

function list(check: Check): Check {
  return value => Array.isArray(value) && value.every(check);
}

function table(check: Check): Check {
  return value => isObject(value) && Object.values(value).every(check);
}

function part(checks: Readonly<Record<string, Check>>): Check {
  return value =>
    isObject(value) &&
    Object.entries(checks).every(([name, check]) => check(value[name]));
}

const point: Check = value =>
  Array.isArray(value) && value.length === 2 && value.every(number);
const time = like(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);

const FIELDS: Readonly<Record<string, Check>> = {
  id: like(
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  ),
  kind: like(/^[a-z][a-z_-]{0,31}$/),
  status: value => (STATUSES as readonly unknown[]).includes(value),
  started: time,
  seconds: may(number),
  cell: may(
    part({ source: may(text), execution_count: may(whole), id: may(text) })
  ),
  notebook: may(text),
  model: may(
    part({
      name: text,
      revision: may(text),
      quant: may(text),
      dtype: may(text),
      device: may(text),
      adapter: may(text),
      license: may(
        part({
          id: text,
          class: may(text),
          conditions: may(text),
          url: may(text)
        })
      )
    })
  ),
  template: may(text),
  params: lacking(isObject),
  seed: may(whole),
  data: may(
    part({
      name: text,
      rows: may(whole),
      columns: may(list(text)),
      sha256: may(text)
    })
  ),
  output: may(
    part({ text: may(text), table: may(isObject), sha256: may(text) })
  ),
  metrics: lacking(table(number)),
  series: lacking(table(list(point))),
  notices: lacking(list(text)),
  parents: lacking(list(text)),
  tags: lacking(list(text)),
  note: may(text),
  edited: may(time),
  rerun: may(part({ of: text, same_output: may(flag) })),
  environment: may(
    part({
      fmagic: may(text),
      python: may(text),
      torch: may(text),
      transformers: may(text),
      bitsandbytes: may(text),
      peft: may(text),
      device_name: may(text),
      git_commit: may(text),
      git_dirty: may(flag)
    })
  ),
  error: may(part({ type: text, message: lacking(text) }))
};
