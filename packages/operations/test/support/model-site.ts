import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Assessment, VirtualMachine } from "@ovault/contract";
import { Redactor } from "@ovault/core";
import {
  createRepository,
  Installation,
  type JobContext,
  type OperationContext,
  type RunEvent,
} from "@ovault/operations";
import { ModelPlatform, ModelStrategy } from "@ovault/testkit";

/** Plugins of ovault.yaml that hand out what a test has put under this name. */
const PLUGINS = ["manager", "strategy"] as const;
const DESTINATIONS = ["nas", "offsite"] as const;
const moduleOf = (kind: (typeof PLUGINS)[number]): string => `
  const any = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
  export default {
    kind: "${kind}",
    name: "model",
    apiVersion: 1,
    managerKind: "model",
    options: any,
    create: async (options, host) => globalThis.ovaultModel.${kind}(host.name),
  };
`;

/** Counts the assessments of each machine. */
export class CountingStrategy extends ModelStrategy {
  readonly assessed: string[] = [];

  override async assess(vm: VirtualMachine): Promise<Assessment> {
    this.assessed.push(vm.name);
    return await super.assess(vm);
  }
}

/**
 * Two machines, `web01` and `db01`, on a platform in memory, and two empty repositories in directories, `nas` and
 * `offsite`, all described by an ovault.yaml. Only one at a time.
 */
export class ModelSite {
  readonly directory: string;
  readonly platform = new ModelPlatform();
  readonly strategy = new CountingStrategy(this.platform);
  readonly events: RunEvent[] = [];
  readonly notes: string[] = [];
  readonly controller = new AbortController();
  closed = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<ModelSite> {
    const site = new ModelSite(await mkdtemp(join(tmpdir(), "ovault-jobs-")));
    const bytes = new Uint8Array(100_000).fill(7);
    site.platform.disks.set("a", { bytes, extents: [{ offset: 0, length: bytes.length, kind: "data" }] });
    Object.assign(globalThis, { ovaultModel: { manager: site.#manager, strategy: () => site.strategy } });
    for (const kind of PLUGINS) await writeFile(join(site.directory, `${kind}.mjs`), moduleOf(kind));
    for (const name of DESTINATIONS) await mkdir(join(site.directory, name));
    await site.configure({});
    await using installation = await site.installation();
    for (const name of DESTINATIONS) await createRepository(installation, name, site.context);
    return site;
  }

  /** Writes ovault.yaml. */
  async configure(more: object): Promise<void> {
    const configuration = {
      managers: { site: { type: "model" } },
      destinations: Object.fromEntries(DESTINATIONS.map((directory) => [directory, { type: "filesystem", directory }])),
      defaults: { destination: "nas" },
      plugins: PLUGINS.map((kind) => `./${kind}.mjs`),
      ...more,
    };
    await writeFile(join(this.directory, "ovault.yaml"), JSON.stringify(configuration), { mode: 0o600 });
  }

  get context(): OperationContext & JobContext {
    return {
      signal: this.controller.signal,
      configFile: join(this.directory, "ovault.yaml"),
      debug: false,
      redactor: new Redactor(),
      reporter: { note: (line) => void this.notes.push(line), warn: (line) => void this.notes.push(line) },
      emit: (event) => void this.events.push(event),
    };
  }

  async installation(more: Partial<OperationContext> = {}): Promise<Installation> {
    return await Installation.open({ ...this.context, ...more });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  readonly #manager = (name: string) => ({
    name,
    kind: "model",
    inventory: async () => ["web01", "db01"].map((vm) => ({ ...this.platform.vm(), id: vm, name: vm, manager: name })),
    close: async () => void (this.closed += 1),
  });
}
