import { settleAll } from "@ovault/contract";
import { BASE_ALLOCATION, type NbdClient } from "@ovault/nbd";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { allocationRuns, type AllocationRun } from "./allocation-runs.ts";
import { HostProcess } from "./host-process.ts";
import { imageName, type ServedImage } from "./image-node.ts";
import { QEMU_NBD } from "./qemu-nbd.ts";
import { reachServer, type ReachedServer, type ReachingSite } from "./reach-server.ts";
import { openingFailure, servingFailure, stalled } from "./serving-failure.ts";
import { StallWatch } from "./stall-watch.ts";

/** Longest time that a host serves one disk: the limit for what nothing else has ended. */
const MOST_SECONDS = 3 * 86_400;

export interface ServingSite extends ReachingSite {
  /** Silence after which the host counts as gone. */
  readonly timeoutMs: number;
}

interface Parts {
  readonly title: string;
  readonly hypervisor: Hypervisor;
  readonly process: HostProcess;
  readonly server: ReachedServer;
  readonly timeoutMs: number;
}

/** A disk, or some of its layers, that qemu-nbd on a host serves to this process. */
export class ServedVolume {
  readonly #parts: Parts;
  readonly #stalls: StallWatch;
  #turn = 0;
  #isStalled = false;
  #closing: Promise<void> | undefined;

  /**
   * Cleans up before it throws, as far as possible.
   * @throws ServingError; LedgerError
   */
  static async open(
    hypervisor: Hypervisor,
    image: ServedImage,
    site: ServingSite,
    signal: AbortSignal,
  ): Promise<ServedVolume> {
    const { title, detail, ledger, connections, timeoutMs } = site;
    const access = image.access === "read" ? "--read-only" : "--discard=unmap";
    const file = image.layers[0]?.path ?? "";
    const args = [String(MOST_SECONDS), file, access, `--shared=${connections}`, imageName(image)];
    const wish = { title: `serves ${title}`, script: QEMU_NBD, args, ledger, detail };
    let process: HostProcess | undefined;
    try {
      process = await HostProcess.start(hypervisor, wish, signal);
      const server = await reachServer(hypervisor, process.ready, site, signal);
      return new ServedVolume({ title, hypervisor, process, server, timeoutMs });
    } catch (error) {
      const explained = signal.aborted ? error : await openingFailure(error, { title, hypervisor, process });
      await process?.close();
      throw explained;
    }
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#stalls = new StallWatch(parts.timeoutMs, () => {
      this.#isStalled = true;
      // Ends what is under way.
      for (const client of parts.server.clients) void client.close();
    });
  }

  /** Of the image. That of a raw one may be more than the disk has. */
  get logicalBytes(): number {
    return this.#parts.server.clients[0].logicalBytes;
  }

  /** Offsets and lengths of requests are multiples of it. */
  get minBlockBytes(): number {
    return this.#parts.server.clients[0].minBlockBytes;
  }

  /** qemu-nbd before 2.12 does not tell what is allocated. */
  get tellsAllocation(): boolean {
    return this.#parts.server.clients[0].contexts.includes(BASE_ALLOCATION);
  }

  /** For people: what carries the data. */
  get carrier(): string {
    return this.#parts.server.carrier;
  }

  /** Number of connections: the most requests that reach the host at a time. */
  get connections(): number {
    return this.#parts.server.clients.length;
  }

  /** What is allocated from `offset` on, one run at least. @throws as `use` */
  async allocation(offset: number, signal: AbortSignal): Promise<readonly AllocationRun[]> {
    return await this.use(async (client) => {
      const answers = await client.blockStatus(offset, client.logicalBytes - offset, signal);
      return allocationRuns(answers);
    }, signal);
  }

  /** Makes durable what was written before, on all connections. @throws as `use` */
  async flush(signal: AbortSignal): Promise<void> {
    const { clients } = this.#parts.server;
    // As many turns as connections: each gets one.
    await settleAll(clients.map(() => this.use((client) => client.flush(signal), signal)));
  }

  /** Uses one of the connections, each in its turn. @throws ServingError, transient unless the host refused the request */
  async use<T>(work: (client: NbdClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clients } = this.#parts.server;
    const client = clients[this.#turn] ?? clients[0];
    this.#turn = (this.#turn + 1) % clients.length;
    try {
      return await this.#stalls.watch(work(client));
    } catch (error) {
      signal.throwIfAborted();
      if (this.#isStalled) throw stalled(this.#parts, error);
      throw await servingFailure(error, this.#parts);
    }
  }

  /** Ends the process on the host. May be called twice; never throws. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { server, process } = this.#parts;
    // Side by side: each waits for a host that does not answer.
    await Promise.all([server.close(), process.close()]);
  }
}
