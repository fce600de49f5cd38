/** Two texts as one, with what was taken out and what was put in. */

export type Change = 'same' | 'out' | 'in';
export type Stretch = readonly [change: Change, text: string];

const TOKEN = /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const LINE = /[^\n]*\n|[^\n]+$/g;
// Time and memory grow with the square of the number of changes.
const MOST_EDITS = 1_000;

/** Return the stretches in order; of a replacement what was taken out comes first. */
export function wordChanges(before: string, after: string): Stretch[] {
  return (
    changes(split(before, TOKEN), split(after, TOKEN)) ??
    changes(split(before, LINE), split(after, LINE)) ?? [
      ['out', before],
      ['in', after]
    ]
  );
}

function split(text: string, pattern: RegExp): string[] {
  return text.match(pattern) ?? [];
}

/** The shortest way from one list to the other (Myers 1986); `null` if it is very long. */
function changes(
  old: readonly string[],
  now: readonly string[]
): Stretch[] | null {
  let start = 0;
  while (start < old.length && old[start] === now[start]) {
    start += 1;
  }
  let end = 0;
  while (
    end < Math.min(old.length, now.length) - start &&
    old[old.length - 1 - end] === now[now.length - 1 - end]
  ) {
    end += 1;
  }
  const middle = shortest(
    old.slice(start, old.length - end),
    now.slice(start, now.length - end)
  );
  return (
    middle &&
    gathered([
      ['same', old.slice(0, start).join('')],
      ...middle,
      ['same', old.slice(old.length - end).join('')]
    ])
  );
}

/** How far along the old list each diagonal was followed; `at(line)` for line from -most to most. */
class Reach {
  constructor(
    private readonly _most: number,
    private readonly _values = new Int32Array(2 * _most + 1)
  ) {}

  at(line: number): number {
    return this._values[line + this._most] ?? -1;
  }

  set(line: number, value: number): void {
    this._values[line + this._most] = value;
  }

  /** A copy of the diagonals that `edits` steps can have touched. */
  kept(edits: number): Reach {
    const from = this._most - edits - 1;
    return new Reach(
      edits + 1,
      this._values.slice(Math.max(0, from), from + 2 * edits + 3)
    );
  }
}

function shortest(
  old: readonly string[],
  now: readonly string[]
): Stretch[] | null {
  const most = Math.min(MOST_EDITS, old.length + now.length);
  const reach = new Reach(most + 1);
  const steps: Reach[] = [];
  for (let edits = 0; edits <= most; edits += 1) {
    steps.push(reach.kept(edits));
    for (let line = -edits; line <= edits; line += 2) {
      let x = isDown(reach, line, edits)
        ? reach.at(line + 1)
        : reach.at(line - 1) + 1;
      while (
        x < old.length &&
        x - line < now.length &&
        old[x] === now[x - line]
      ) {
        x += 1;
      }
      reach.set(line, x);
      if (x >= old.length && x - line >= now.length) {
        return traced(old, now, steps);
      }
    }
  }
  return null;
}

function isDown(reach: Reach, line: number, edits: number): boolean {
  return (
    line === -edits ||
    (line !== edits && reach.at(line - 1) < reach.at(line + 1))
  );
}

function traced(
  old: readonly string[],
  now: readonly string[],
  steps: readonly Reach[]
): Stretch[] {
  const found: Stretch[] = [];
  let [x, y] = [old.length, now.length];
  for (const [edits, reach] of [...steps.entries()].reverse()) {
    const down = isDown(reach, x - y, edits);
    const line = down ? x - y + 1 : x - y - 1;
    const fromX = edits === 0 ? 0 : reach.at(line);
    const fromY = edits === 0 ? 0 : fromX - line;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      found.push(['same', old[x] ?? '']);
    }
    if (edits > 0) {
      found.push(down ? ['in', now[fromY] ?? ''] : ['out', old[fromX] ?? '']);
      [x, y] = [fromX, fromY];
    }
  }
  return found.reverse();
}

/** Put neighbours of one kind together, what was taken out before what was put in. */
function gathered(stretches: readonly Stretch[]): Stretch[] {
  const found: Stretch[] = [];
  let [out, put, same] = ['', '', ''];
  const flush = (): void => {
    for (const [change, text] of [
      ['same', same],
      ['out', out],
      ['in', put]
    ] as const) {
      if (text) {
        found.push([change, text]);
      }
    }
    [out, put, same] = ['', '', ''];
  };
  for (const [change, text] of stretches) {
    if (change === 'same') {
      if (out || put) {
        flush();
      }
      same += text;
    } else if (change === 'out') {
      out += text;
    } else {
      put += text;
    }
  }
  flush();
  return found;
}
