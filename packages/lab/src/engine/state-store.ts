import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";

import { ConfigurationError } from "@ovault/contract";
import { z } from "zod";

import type { EngineState } from "./engine-state.ts";
import { firstInventory } from "./inventory.ts";
import { upgraded } from "./upgrade-state.ts";
import type { EngineVersion, Product } from "./versions.ts";

/** Checks enough to refuse a foreign file; this package wrote the rest. */
const ours: z.ZodType<EngineState> = z.custom<EngineState>(
  (value) => z.looseObject({ format: z.literal(1), inventory: z.looseObject({}) }).safeParse(value).success,
);

/** Keeps the engine's state in one file, replaced as a whole. */
export class StateStore {
  readonly state: EngineState;
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();
  #queued = false;

  constructor(file: string, state: EngineState) {
    this.#file = file;
    this.state = state;
  }

  /** @throws ConfigurationError when the file is not a lab's state. */
  static async open(file: string): Promise<StateStore> {
    const parsed = ours.safeParse(JSON.parse(await readFile(file, "utf8")));
    if (!parsed.success) throw new ConfigurationError(`${file} is not the state of a lab`, { context: { file } });
    return new StateStore(file, upgraded(parsed.data));
  }

  /** Schedules a write of the state; many calls become one write. */
  changed(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#writing = this.#writing.then(() => this.#write());
    this.#writing.catch(() => {}); // reported by the next flush
  }

  /** Resolves when all changes so far are on disk. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    this.#queued = false;
    const draft = `${this.#file}.${randomUUID()}.tmp`;
    try {
      await writeFile(draft, `${JSON.stringify(this.state, undefined, 1)}\n`, { mode: 0o600 });
      await rename(draft, this.#file);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

/** A lab without machines. */
export function emptyState(version: EngineVersion, product: Product): EngineState {
  return {
    format: 1,
    version,
    product,
    inventory: firstInventory(),
    tags: [],
    vms: {},
    disks: {},
    backups: {},
    transfers: {},
    jobs: {},
    events: [],
    exportDomains: [],
    dataDomains: [],
    templates: [],
  };
}
