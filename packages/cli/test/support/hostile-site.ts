import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Clears the screen, colours, rings, sets the title, writes to the clipboard, turns the direction, forges a line. */
export const EVIL =
  "disk\u001B[2J\u001B[31mRED\u0007\u001B]0;title\u0007\u001B]52;c;ZXZpbA==\u0007\u009B31m\u202Eexe.txt\r\nvm sealed";

const moduleOf = (name: string): string => JSON.stringify(import.meta.resolve(name));
const testkit = moduleOf("@ovault/testkit");
const contract = moduleOf("@ovault/contract");
const zod = JSON.stringify(import.meta.resolve("zod", import.meta.resolve("@ovault/cli")));

/** One machine, every text of which is hostile. */
const manager = `
  import { z } from ${zod};
  import { ModelPlatform } from ${testkit};

  export const platform = new ModelPlatform();
  export const EVIL = ${JSON.stringify(EVIL)};
  for (const id of ["a", "b", "c"]) {
    const bytes = new Uint8Array(70_000).fill(id.charCodeAt(0));
    platform.disks.set(id, { bytes, extents: [{ offset: 0, length: bytes.length, kind: "data" }] });
  }
  const vm = () => {
    const plain = platform.vm();
    const disks = plain.disks.map((disk) => ({ ...disk, alias: EVIL + disk.id, attributes: { [EVIL]: EVIL } }));
    const cluster = { id: "c1", name: EVIL };
    return { ...plain, id: "vm-1", name: "vm" + EVIL, manager: "site", status: EVIL, cluster, tags: [EVIL], disks };
  };
  export default {
    kind: "manager",
    name: "hostile",
    apiVersion: 1,
    options: z.strictObject({}),
    create: async (_options, { name }) => ({ name, kind: "hostile", inventory: async () => [vm()], close: async () => {} }),
  };
`;

const strategy = `
  import { z } from ${zod};
  import { OvaultError } from ${contract};
  import { ModelStrategy } from ${testkit};
  import { EVIL, platform } from "./manager.mjs";

  class Evil extends ModelStrategy {
    managerKind = "hostile";
    async assess(vm) {
      this.skipped.add("b");
      const { disks } = await super.assess(vm);
      return { disks: disks.map((disk) => ({ ...disk, reason: EVIL })) };
    }
    async takeInstant(request, context) {
      context.hooks.phase.call({ phase: "snapshot", detail: EVIL });
      context.hooks.warning.call(EVIL);
      if (request.full) throw new OvaultError(EVIL, { context: { [EVIL]: EVIL }, hint: EVIL });
      const instant = await super.takeInstant(request, context);
      return {
        consistency: instant.consistency,
        open: async (signal) => (await instant.open(signal)).map((disk) => ({ ...disk, reason: EVIL })),
        documents: [{ name: "vm.ovf", mediaType: EVIL, text: EVIL }],
        close: (outcome) => instant.close(outcome),
        retire: (signal) => instant.retire(signal),
      };
    }
    async planRestore() {
      return { steps: [EVIL], warnings: [EVIL] };
    }
  }
  export default {
    kind: "strategy",
    name: "model",
    apiVersion: 1,
    managerKind: "hostile",
    options: z.strictObject({}),
    create: async () => new Evil(platform),
  };
`;

/** Writes an ovault.yaml whose manager, strategy and destinations are hostile or empty. */
export async function writeHostileSite(directory: string): Promise<void> {
  for (const name of ["one", "two"]) await mkdir(join(directory, name));
  await writeFile(join(directory, "manager.mjs"), manager);
  await writeFile(join(directory, "strategy.mjs"), strategy);
  const configuration = {
    managers: { site: { type: "hostile" } },
    destinations: {
      one: { type: "filesystem", directory: "one" },
      two: { type: "filesystem", directory: "two" },
    },
    defaults: { destination: "one" },
    policies: { all: { vms: { include: ["id:vm-1"] }, retention: { keepLast: 1 } } },
    plugins: ["./manager.mjs", "./strategy.mjs"],
  };
  await writeFile(join(directory, "ovault.yaml"), JSON.stringify(configuration), { mode: 0o600 });
}
