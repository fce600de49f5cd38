/**
 * The messages of the comm `fmagic`. The kernel's side is `fmagic/frontend.py`; what is not
 * understood is passed over on both sides.
 */

export const TARGET = 'fmagic';
export const VERSION = 1;

/** A model in the kernel's memory. */
export interface LoadedModel {
  readonly name: string;
  readonly spec: string;
  readonly kind: string;
  readonly quant: string;
  readonly dtype: string;
  readonly device: string;
  readonly deviceName: string;
  readonly adapter: string | null;
  readonly parameters: number;
  readonly weightBytes: number;
}

/** An operation that goes on. */
export interface Running {
  readonly run: string;
  readonly kind: string;
  /** The id of the cell that asked for it, if that is known. */
  readonly cell: string | null;
}

/** Bytes in use; of how many there are, on a GPU, or else of this process. */
export interface Memory {
  readonly used: number;
  readonly total: number | null;
}

/** What the kernel holds and does. */
export interface Status {
  readonly type: 'status';
  readonly model: LoadedModel | null;
  readonly memory: Memory | null;
  readonly loaded: readonly LoadedModel[];
  readonly running: Running | null;
  /** Whether the kernel has the magic `%pick`. */
  readonly picker: boolean;
}

/** The answer to `stop`. */
export interface Stopping {
  readonly type: 'stopping';
  readonly run: string;
  readonly found: boolean;
}

/** fmagic was loaded. */
export interface Hello {
  readonly type: 'hello';
}

export type Message = Status | Stopping | Hello;

/** Return the message that a comm carried; `null` if it is none of this version. */
export function parse(data: unknown): Message | null {
  if (!isObject(data) || data['version'] !== VERSION) {
    return null;
  }
  switch (data['type']) {
    case 'hello':
      return { type: 'hello' };
    case 'stopping':
      return {
        type: 'stopping',
        run: text(data['run']),
        found: data['found'] === true
      };
    case 'status':
      return parseStatus(data);
    default:
      return null;
  }
}

function parseStatus(data: Record<string, unknown>): Status {
  const loaded = Array.isArray(data['loaded']) ? data['loaded'] : [];
  return {
    type: 'status',
    model: parseModel(data['model']),
    memory: parseMemory(data['memory']),
    loaded: loaded.map(parseModel).filter(model => model !== null),
    running: parseRunning(data['running']),
    picker: data['picker'] === true
  };
}

function parseModel(data: unknown): LoadedModel | null {
  if (!isObject(data) || typeof data['name'] !== 'string') {
    return null;
  }
  return {
    name: data['name'],
    spec: text(data['spec']),
    kind: text(data['kind']),
    quant: text(data['quant']),
    dtype: text(data['dtype']),
    device: text(data['device']),
    deviceName: text(data['device_name']),
    adapter: typeof data['adapter'] === 'string' ? data['adapter'] : null,
    parameters: count(data['parameters']) ?? 0,
    weightBytes: count(data['weight_bytes']) ?? 0
  };
}

function parseMemory(data: unknown): Memory | null {
  const used = isObject(data) ? count(data['used']) : null;
  return !isObject(data) || used === null
    ? null
    : { used, total: count(data['total']) };
}

function parseRunning(data: unknown): Running | null {
  if (!isObject(data) || typeof data['run'] !== 'string') {
    return null;
  }
  const cell = data['cell'];
  return {
    run: data['run'],
    kind: text(data['kind']),
    cell: typeof cell === 'string' ? cell : null
  };
}

function isObject(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

function text(data: unknown): string {
  return typeof data === 'string' ? data : '';
}

function count(data: unknown): number | null {
  return typeof data === 'number' && Number.isFinite(data) && data >= 0
    ? data
    : null;
}
