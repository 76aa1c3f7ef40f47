import type { Case, Contender } from "../case.ts";
import { product } from "../product.ts";

/** What every command takes before it begins, beside Node itself. */
export const startCases: Readonly<Record<string, () => Promise<Case>>> = {
  "start-version": () => startCase("start-version", "--version"),
  "start-help": () => startCase("start-help", "backup", "--help"),
};

const node: Contender = { name: "node", command: () => [process.execPath, "--eval", "0"] };

async function startCase(name: string, ...args: readonly string[]): Promise<Case> {
  const { command } = await product();
  return { name, ours: { name: "ovault", command: () => command(...args) }, others: [node] };
}
