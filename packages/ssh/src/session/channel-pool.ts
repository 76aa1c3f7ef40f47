import { setTimeout as delay } from "node:timers/promises";

import type { ClientChannel } from "ssh2";

import { messageOf, unlessAborted } from "@ovault/contract";

import type { SshServer } from "../ssh-server.ts";
import { channelRefused, connectionLost } from "./command-failures.ts";
import { openConnection, type RemoteConnection } from "./remote-connection.ts";

/** OpenSSH may count a session that has just ended. */
const MOST_REFUSALS = 10;
const REFUSAL_MS = 50;

export type RemoteEnvironment = Readonly<Record<string, string>>;

export interface ChannelOptions {
  /** A `short` command ends by itself, so that others may wait for it. */
  readonly use: "short" | "long";
  /** Requests for variables, which servers may ignore. */
  readonly environment?: RemoteEnvironment;
  readonly signal: AbortSignal;
}

export interface OpenedChannel {
  readonly channel: ClientChannel;
  readonly connection: RemoteConnection;
}

interface Slot {
  readonly connection: RemoteConnection;
  /** Number of open channels. */
  readonly open: { short: number; long: number };
  /** The server refused one more channel, and none has ended since. */
  isFull: boolean;
}

/**
 * Opens channels for commands: all on one connection where the server allows it. Where it does not (MaxSessions), a
 * command waits for a short one to end, or gets a connection of its own when only long ones are open. Replaces a lost
 * connection when the next channel is opened.
 */
export class ChannelPool {
  readonly #server: SshServer;
  #slots: Slot[] = [];
  #freed = Promise.withResolvers<void>();
  #isClosed = false;

  private constructor(server: SshServer) {
    this.#server = server;
  }

  /** The signal only ends the attempt. @throws HostKeyError, SshLoginError, SshUnavailableError, SshError */
  static async open(server: SshServer, signal: AbortSignal): Promise<ChannelPool> {
    const pool = new ChannelPool(server);
    await pool.#connect(signal);
    return pool;
  }

  /** Opens a channel with a command line. @throws as `open`, and the signal's reason */
  async exec(line: string, options: ChannelOptions): Promise<OpenedChannel> {
    for (let refusals = 0; ;) {
      options.signal.throwIfAborted();
      if (this.#isClosed) throw connectionLost(this.#server, "ovault ended it");
      this.#slots = this.#slots.filter(({ connection }) => connection.lossReason() === undefined);
      const slot = this.#slots.find(({ isFull }) => !isFull);
      if (slot !== undefined) {
        const isAlone = slot.open.short + slot.open.long === 0;
        const channel = await this.#tryExec(slot, line, options);
        if (typeof channel !== "string") return { channel, connection: slot.connection };
        if (!isAlone) continue;
        refusals += 1;
        if (refusals > MOST_REFUSALS) throw channelRefused(this.#server, channel);
        await delay(REFUSAL_MS, undefined, { signal: options.signal });
      } else if (this.#slots.some(({ open }) => open.short > 0)) {
        await unlessAborted(this.#freed.promise, options.signal);
      } else {
        await this.#connect(options.signal);
      }
    }
  }

  /** A connection that is there now. @throws as `open` */
  async connection(signal: AbortSignal): Promise<RemoteConnection> {
    const live = this.#slots.find(({ connection }) => connection.lossReason() === undefined);
    return live?.connection ?? (await this.#connect(signal));
  }

  close(): void {
    this.#isClosed = true;
    for (const { connection } of this.#slots) connection.close();
  }

  async #connect(signal: AbortSignal): Promise<RemoteConnection> {
    const connection = await openConnection(this.#server, signal);
    if (this.#isClosed) connection.close();
    this.#slots.push({ connection, open: { short: 0, long: 0 }, isFull: false });
    void connection.lost.then(() => this.#free());
    return connection;
  }

  /** The reason when the server opens no further channel on this connection now. */
  async #tryExec(slot: Slot, line: string, options: ChannelOptions): Promise<ClientChannel | string> {
    const { connection, open } = slot;
    open[options.use] += 1;
    const end = (): void => {
      open[options.use] -= 1;
      slot.isFull = false;
      this.#free();
    };
    const opening = execute(connection, line, options.environment);
    opening.then((channel) => channel.on("close", end), end);
    try {
      return await unlessAborted(opening, options.signal);
    } catch (error) {
      if (options.signal.aborted) {
        opening.then(
          (channel) => channel.close(),
          () => undefined,
        );
        throw error;
      }
      const lossReason = connection.lossReason();
      if (lossReason !== undefined) throw connectionLost(this.#server, lossReason);
      slot.isFull = open.short + open.long > 0;
      return messageOf(error);
    }
  }

  #free(): void {
    this.#freed.resolve();
    this.#freed = Promise.withResolvers();
  }
}

async function execute(
  { client, lost }: RemoteConnection,
  line: string,
  env: RemoteEnvironment = {},
): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  void lost.then((reason) => reject(new Error(reason)));
  client.exec(line, { env: { ...env } }, (error, channel) => {
    if (error === undefined) resolve(channel);
    else reject(error);
  });
  return await promise;
}
