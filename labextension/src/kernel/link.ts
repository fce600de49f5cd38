/** The comm between one notebook and its kernel. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Status } from './protocol';
import { parse, TARGET, VERSION } from './protocol';

/** A comm whose messages may go to a subshell; JupyterLab's is one, its interface does not say so. */
interface ShellComm extends Kernel.IComm {
  readonly subshellId?: string | null;
  readonly subshellStarted?: Promise<void>;
}

/** Milliseconds in which a kernel that is not stuck says that it stops. */
const PATIENCE = 1000;

/**
 * Follows the kernel of a session, whichever that is, and knows its status.
 *
 * The comm is opened once fmagic says that it is there, or is found to be: opening it in any kernel
 * would make the others complain.
 */
export class KernelLink implements IDisposable {
  constructor(session: ISessionContext) {
    this._session = session;
    session.kernelChanged.connect(this._onKernelChanged, this);
    session.statusChanged.connect(this._onKernelStatus, this);
    session.iopubMessage.connect(this._onMessage, this);
    this._look();
  }

  /** What the kernel said last; `null` without fmagic. */
  get status(): Status | null {
    return this._status;
  }

  /** Emitted when the status may be another one. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._drop();
    Signal.clearData(this);
  }

  /**
   * End a run, and nothing else, where the kernel listens while it works; else interrupt it.
   *
   * A run that is over by then stays as it is.
   */
  async stop(run: string): Promise<void> {
    const comm = this._comm;
    const asked = this._asked === run;
    this._asked = run;
    if (!asked && comm !== null && !comm.isDisposed && comm.subshellId) {
      if (await this._heard(comm, run)) {
        return;
      }
      if (this._status?.running?.run !== run) {
        return;
      }
    }
    await this._session.session?.kernel?.interrupt();
  }

  /** Ask for the end of a run; whether the kernel answered in time. */
  private async _heard(comm: ShellComm, run: string): Promise<boolean> {
    const answer = new Promise<boolean>(resolve => {
      this._answers.set(run, () => {
        resolve(true);
      });
      setTimeout(() => {
        resolve(false);
      }, PATIENCE);
    });
    comm.send({ version: VERSION, type: 'stop', run });
    const heard = await answer;
    this._answers.delete(run);
    return heard;
  }

  // Properties, so that they can be handed on; `this` beside them lets Lumino find them again.
  private readonly _onKernelChanged = (): void => {
    this._drop();
    this._look();
  };

  private readonly _onKernelStatus = (
    _: ISessionContext,
    status: Kernel.Status
  ): void => {
    // The comm ends with the process. After a restart fmagic says when it is there again.
    if (['restarting', 'autorestarting', 'dead'].includes(status)) {
      this._drop();
    }
  };

  private readonly _onMessage = (
    _: ISessionContext,
    message: KernelMessage.IMessage
  ): void => {
    if (this._comm !== null || message.header.msg_type !== 'comm_msg') {
      return;
    }
    // The greeting, or what the kernel tells another page.
    const { data } = (message as KernelMessage.ICommMsgMsg).content;
    if (parse(data) !== null) {
      this._open();
    }
  };

  /** Ask a kernel that was there before whether fmagic is in it. */
  private _look(): void {
    const kernel = this._session.session?.kernel;
    if (!kernel) {
      return;
    }
    kernel
      .requestCommInfo({ target_name: TARGET })
      .then(reply => {
        const content = reply.content;
        const mine =
          !this._isDisposed && kernel === this._session.session?.kernel;
        if (
          mine &&
          content.status === 'ok' &&
          Object.keys(content.comms).length > 0
        ) {
          this._open();
        }
      })
      .catch(() => {
        // The kernel went away; the next one is asked too.
      });
  }

  private _open(): void {
    const kernel = this._session.session?.kernel;
    if (!kernel || this._comm !== null || !kernel.handleComms) {
      return;
    }
    const comm = kernel.createComm(TARGET) as ShellComm;
    this._comm = comm;
    comm.onMsg = message => {
      this._take(comm, message.content.data);
    };
    comm.onClose = () => {
      if (this._comm === comm) {
        this._drop();
      }
    };
    void this._greet(kernel, comm);
  }

  private async _greet(
    kernel: Kernel.IKernelConnection,
    comm: ShellComm
  ): Promise<void> {
    try {
      // The subshell under which a comm is opened is the one that the kernel answers from.
      const mode: string = comm.commsOverSubshells ?? 'disabled';
      if (kernel.supportsSubshells && mode !== 'disabled') {
        await comm.subshellStarted;
      }
    } catch {
      // Without a subshell the status comes all the same, between two cells.
    }
    if (!comm.isDisposed && this._comm === comm) {
      comm.open({ version: VERSION });
    }
  }

  private _take(comm: ShellComm, data: unknown): void {
    const message = parse(data);
    if (this._comm !== comm || message === null) {
      return;
    }
    if (message.type === 'status') {
      this._status = message;
      if (message.running?.run !== this._asked) {
        this._asked = null;
      }
      this._changed.emit();
    } else if (message.type === 'stopping') {
      this._answers.get(message.run)?.();
    }
  }

  /** Forget the comm; JupyterLab disposes of it with the kernel. */
  private _drop(): void {
    this._comm = null;
    this._status = null;
    this._asked = null;
    this._changed.emit();
  }

  private readonly _session: ISessionContext;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _answers = new Map<string, () => void>();
  private _comm: ShellComm | null = null;
  private _status: Status | null = null;
  /** The run whose end was asked for: asked again, the kernel is interrupted. */
  private _asked: string | null = null;
  private _isDisposed = false;
}
