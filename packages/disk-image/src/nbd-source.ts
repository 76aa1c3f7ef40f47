import type tls from "node:tls";

import type { Disk, DiskSource, Extent } from "@ovault/contract";
import { ALLOCATION, BASE_ALLOCATION, NbdClient, type NbdAddress } from "@ovault/nbd";

import { standaloneDisk } from "./standalone-disk.ts";

const MAX_READS = 8;
const MAX_CONNECTIONS = 4;

export interface NbdSourceOptions {
  /** `parseNbdUri` of @ovault/nbd makes address and exportName from a URI. */
  readonly address: NbdAddress;
  readonly exportName: string;
  readonly tls?: tls.ConnectionOptions;
  /** Default: the export's name, or "nbd" for the nameless one. */
  readonly diskId?: string;
  /** Maximum concurrent reads. Default 8, spread over up to four connections where the server allows several. */
  readonly maxReads?: number;
  readonly signal: AbortSignal;
}

/** An NBD export, read in full, except ranges that the server reports as zeros. */
export class NbdSource implements DiskSource {
  readonly disk: Disk;
  readonly mode = "full";
  readonly reason = "an NBD export knows no changes";
  readonly maxReads: number;
  readonly readsUnchanged = false;
  readonly #clients: readonly NbdClient[];
  readonly #first: NbdClient;
  #turn = 0;

  /** Rejects with the errors of `NbdClient.connect`. */
  static async open(options: NbdSourceOptions): Promise<NbdSource> {
    const { diskId, maxReads = MAX_READS, ...target } = options;
    const connect = (): Promise<NbdClient> => NbdClient.connect({ ...target, contexts: [BASE_ALLOCATION] });
    const first = await connect();
    const more = first.features.multiConn ? Math.min(maxReads, MAX_CONNECTIONS) - 1 : 0;
    const attempts = await Promise.allSettled(Array.from({ length: more }, connect));
    // A server may allow fewer connections than requested.
    const others = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    const disk = standaloneDisk(diskId ?? (options.exportName || "nbd"), first.logicalBytes);
    return new NbdSource(disk, maxReads, first, others);
  }

  private constructor(disk: Disk, maxReads: number, first: NbdClient, others: readonly NbdClient[]) {
    this.disk = disk;
    this.maxReads = maxReads;
    this.#first = first;
    this.#clients = [first, ...others];
  }

  /** From `base:allocation`; one data extent for a server without it. */
  async *extents(signal: AbortSignal): AsyncGenerator<Extent> {
    if (!this.#first.contexts.includes(BASE_ALLOCATION)) {
      if (this.disk.logicalBytes > 0) yield { offset: 0, length: this.disk.logicalBytes, kind: "data" };
      return;
    }
    for await (const { offset, length, flags } of this.#first.allocation(BASE_ALLOCATION, signal)) {
      yield { offset, length, kind: (flags & ALLOCATION.zero) === 0 ? "data" : "zero" };
    }
  }

  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    const client = this.#clients[this.#turn] ?? this.#first;
    this.#turn = (this.#turn + 1) % this.#clients.length;
    return client.readInto(offset, buffer, signal);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}
