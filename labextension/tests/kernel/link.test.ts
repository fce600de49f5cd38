import type { ISessionContext } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { KernelLink } from '../../src/kernel/link';
import { status } from './status';

/** The front end's end of a comm; what it sends is kept. */
class FakeComm {
  isDisposed = false;
  opened = false;
  commsOverSubshells = 'perCommTarget';
  onMsg: (message: object) => void = () => undefined;
  onClose: (message: object) => void = () => undefined;
  readonly sent: Record<string, unknown>[] = [];

  constructor(
    readonly subshellId: string | null,
    readonly subshellStarted: Promise<void> = Promise.resolve()
  ) {}

  open(): void {
    this.opened = true;
  }

  send(data: Record<string, unknown>): void {
    this.sent.push(data);
  }

  dispose(): void {
    this.isDisposed = true;
  }

  say(data: object): void {
    this.onMsg({ content: { data } });
  }
}

class FakeKernel {
  handleComms = true;
  supportsSubshells = true;
  comms: Record<string, object> = {};
  interrupts = 0;
  readonly made: FakeComm[] = [];
  next = new FakeComm('a subshell');

  requestCommInfo(): Promise<object> {
    return Promise.resolve({ content: { status: 'ok', comms: this.comms } });
  }

  createComm(): FakeComm {
    this.made.push(this.next);
    return this.next;
  }

  interrupt(): Promise<void> {
    this.interrupts += 1;
    return Promise.resolve();
  }
}

class FakeSession {
  readonly kernelChanged = new Signal<this, unknown>(this);
  readonly statusChanged = new Signal<this, string>(this);
  readonly iopubMessage = new Signal<this, object>(this);
  session: { kernel: FakeKernel } | null;

  constructor(kernel: FakeKernel) {
    this.session = { kernel };
  }

  says(data: object): void {
    this.iopubMessage.emit({
      header: { msg_type: 'comm_msg' },
      content: { comm_id: 'x', data }
    });
  }
}

const RUNNING = { running: { run: 'r', kind: 'prompt', cell: 'c' } };

function linked(kernel: FakeKernel): [KernelLink, FakeSession] {
  const session = new FakeSession(kernel);
  return [new KernelLink(session as unknown as ISessionContext), session];
}

/** Let promises that are settled already go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.resolve();
  }
}

/** Link to a kernel that has said that a run goes on. */
async function running(kernel: FakeKernel): Promise<KernelLink> {
  const [link, session] = linked(kernel);
  session.says({ version: 1, type: 'hello' });
  await settle();
  kernel.next.say(status(RUNNING));
  return link;
}

describe('KernelLink', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('opens nothing in a kernel without fmagic', async () => {
    const kernel = new FakeKernel();
    const [link, session] = linked(kernel);
    await settle();
    session.says({ method: 'update', state: {} });
    expect(kernel.made).toEqual([]);
    expect(link.status).toBeNull();
  });

  it('opens its comm when fmagic is found or greets', async () => {
    const found = new FakeKernel();
    found.comms = { resting: { target_name: 'fmagic' } };
    const [link] = linked(found);
    await settle();
    expect(found.next.opened).toBe(true);
    found.next.say(status({}));
    expect(link.status?.model?.name).toBe('tiny');

    const greeting = new FakeKernel();
    const [, session] = linked(greeting);
    session.says({ version: 1, type: 'hello' });
    session.says({ version: 1, type: 'hello' });
    await settle();
    expect(greeting.made.length).toBe(1);
    expect(greeting.next.opened).toBe(true);
  });

  it('waits for the subshell before it opens', async () => {
    const kernel = new FakeKernel();
    let start = (): void => undefined;
    kernel.next = new FakeComm(
      'a subshell',
      new Promise(resolve => {
        start = resolve;
      })
    );
    const [, session] = linked(kernel);
    session.says({ version: 1, type: 'hello' });
    await settle();
    expect(kernel.next.opened).toBe(false);
    start();
    await settle();
    expect(kernel.next.opened).toBe(true);
  });

  it('forgets all when the kernel restarts, and comes back', async () => {
    const kernel = new FakeKernel();
    const [link, session] = linked(kernel);
    session.says({ version: 1, type: 'hello' });
    await settle();
    kernel.next.say(status({}));
    session.statusChanged.emit('restarting');
    expect(link.status).toBeNull();
    const old = kernel.next;
    kernel.next = new FakeComm('another');
    session.says({ version: 1, type: 'hello' });
    await settle();
    expect(kernel.next.opened).toBe(true);
    old.say(status({}));
    expect(link.status).toBeNull();
  });

  it('asks for the end of a run and is content with the answer', async () => {
    const kernel = new FakeKernel();
    const link = await running(kernel);
    const stopped = link.stop('r');
    expect(kernel.next.sent).toEqual([{ version: 1, type: 'stop', run: 'r' }]);
    kernel.next.say({ version: 1, type: 'stopping', run: 'r', found: true });
    await stopped;
    expect(kernel.interrupts).toBe(0);
  });

  it('interrupts a kernel that does not answer', async () => {
    const kernel = new FakeKernel();
    const link = await running(kernel);
    const stopped = link.stop('r');
    await vi.runAllTimersAsync();
    await stopped;
    expect(kernel.interrupts).toBe(1);
  });

  it('does not interrupt what came after the run', async () => {
    const kernel = new FakeKernel();
    const link = await running(kernel);
    const stopped = link.stop('r');
    kernel.next.say(status({}));
    await vi.runAllTimersAsync();
    await stopped;
    expect(kernel.interrupts).toBe(0);
  });

  it('interrupts at the second call', async () => {
    const kernel = new FakeKernel();
    const link = await running(kernel);
    const first = link.stop('r');
    kernel.next.say({ version: 1, type: 'stopping', run: 'r', found: true });
    await first;
    await link.stop('r');
    expect(kernel.interrupts).toBe(1);
  });

  it('interrupts where comms have no subshell', async () => {
    const kernel = new FakeKernel();
    kernel.supportsSubshells = false;
    kernel.next = new FakeComm(null, new Promise(() => undefined));
    const [link, session] = linked(kernel);
    session.says({ version: 1, type: 'hello' });
    await settle();
    expect(kernel.next.opened).toBe(true);
    kernel.next.say(status(RUNNING));
    await link.stop('r');
    expect(kernel.next.sent).toEqual([]);
    expect(kernel.interrupts).toBe(1);
  });

  it('says when something changed, until it is disposed', async () => {
    const kernel = new FakeKernel();
    const [link, session] = linked(kernel);
    let changes = 0;
    link.changed.connect(() => {
      changes += 1;
    });
    session.says({ version: 1, type: 'hello' });
    await settle();
    kernel.next.say(status({}));
    expect(changes).toBe(1);
    link.dispose();
    expect(link.status).toBeNull();
    session.says({ version: 1, type: 'hello' });
    expect(kernel.made.length).toBe(1);
  });
});
