import type { CallOptions, GetOptions, ObjectInfo, ObjectKey, ObjectStore, PutOptions } from "@ovault/contract";
import { MemoryStore } from "@ovault/testkit";

/** One state of an object: what was put, or that it was deleted. */
interface Version {
  readonly at: number;
  readonly by: number;
  readonly bytes: number | undefined;
}

/**
 * A store whose listings show to each client what it has changed itself, and of others a past: each listing another one,
 * up to so many calls ago. So do NFS clients that cache directories. All else is as it is.
 */
export class LaggingStore {
  readonly present = new MemoryStore();
  readonly #versions = new Map<ObjectKey, Version[]>();
  readonly #lag: () => number;
  #calls = 0;
  #clients = 0;

  /** @param lag in calls; asked for each listing. */
  constructor(lag: () => number) {
    this.#lag = lag;
  }

  /** Lets so many calls go by. */
  pass(calls: number): void {
    this.#calls += calls;
  }

  client(): ObjectStore {
    const by = (this.#clients += 1);
    const { present } = this;
    return {
      capabilities: present.capabilities,
      put: async (key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions) => {
        this.pass(1);
        const answer = await present.put(key, parts, options);
        if (answer === "stored") this.#note(key, { by, bytes: Buffer.concat(parts).byteLength });
        return answer;
      },
      get: (key: ObjectKey, options: GetOptions) => {
        this.pass(1);
        return present.get(key, options);
      },
      stat: (key: ObjectKey, options: CallOptions) => {
        this.pass(1);
        return present.stat(key, options);
      },
      list: (prefix: string, options: CallOptions) => this.#list(by, prefix, options),
      delete: async (key: ObjectKey, options: CallOptions) => {
        this.pass(1);
        await present.delete(key, options);
        this.#note(key, { by, bytes: undefined });
      },
      close: async () => undefined,
    };
  }

  async *#list(by: number, prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    this.pass(1);
    const past = this.#calls - this.#lag();
    for (const [key, versions] of [...this.#versions].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      signal.throwIfAborted();
      const bytes = versions.findLast((version) => version.by === by || version.at <= past)?.bytes;
      if (key.startsWith(prefix) && bytes !== undefined) yield { key, bytes };
    }
  }

  #note(key: ObjectKey, version: Omit<Version, "at">): void {
    this.#versions.set(key, [...(this.#versions.get(key) ?? []), { at: this.#calls, ...version }]);
  }
}
