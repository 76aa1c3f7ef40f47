import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Case, Contender } from "../case.ts";
import { product } from "../product.ts";
import { Site } from "../site.ts";
import { workDirectory } from "../work-directory.ts";

const MACHINE = "bench";
const firstByte = fileURLToPath(new URL("../workers/first-byte.ts", import.meta.url));

/** Start-up time of every command, beside Node itself. */
export const startCases: Readonly<Record<string, () => Promise<Case>>> = {
  "start-version": () => startCase("start-version", "--version"),
  "start-help": () => startCase("start-help", "backup", "--help"),

  async "start-first-byte"() {
    const socket = join(workDirectory, "first-byte.sock");
    const source = `nbd+unix:///?socket=${socket}`;
    const site = await Site.open("start-first-byte", { machines: { [MACHINE]: [{ source }] } });
    await site.fresh();
    const command = (): readonly string[] => [process.execPath, firstByte, socket, ...site.command("backup", MACHINE)];
    return { name: "start-first-byte", ours: { name: "ovault", command }, others: [], close: () => site.remove() };
  },
};

const node: Contender = { name: "node", command: () => [process.execPath, "--eval", "0"] };

async function startCase(name: string, ...args: readonly string[]): Promise<Case> {
  const { command } = await product();
  return { name, ours: { name: "ovault", command: () => command(...args) }, others: [node] };
}
