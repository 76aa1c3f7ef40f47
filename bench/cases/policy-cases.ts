import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { startLab, writeLabConfiguration } from "@ovault/lab";

import type { Case, Contender } from "../case.ts";
import { measure } from "../measure.ts";
import { product } from "../product.ts";
import { workDirectory } from "../work-directory.ts";

const run = promisify(execFile);
const directory = join(workDirectory, "policy-lab");

const MACHINES = 20;
const WRITTEN_BYTES = 8 * 2 ** 20;
/** Ending a backup takes a real engine 5 to 10 s: two to four of these. */
const STEP_MS = 2500;

const policies = {
  "with overlap": "{ total: 2, finalizing: 4 }",
  "without overlap": "{ total: 2, finalizing: 0 }",
  "one after the other": "{ total: 1, finalizing: 0 }",
} as const;

/** A policy of many small machines in a lab that is as slow as a real engine. */
export const policyCases: Readonly<Record<string, () => Promise<Case>>> = { "policy-20-vms": policyCase };

async function policyCase(): Promise<Case> {
  const { command } = await product();
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const image = join(directory, "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "64M"]);
  const names = Array.from({ length: MACHINES }, (_, index) => `vm${String(index + 1).padStart(2, "0")}`);
  const lab = await startLab({
    directory: join(directory, "lab"),
    vms: names.map((name) => ({ name, images: [image] })),
    delayMs: STEP_MS,
  });
  for (const [index, name] of names.entries()) {
    await lab.write(name, "0", { kind: "random", seed: String(index), offset: 0, length: WRITTEN_BYTES });
  }
  const configuration = await writeLabConfiguration(lab);
  await writeFile(configuration, (await readFile(configuration, "utf8")) + policiesText());
  await measure(command("destination", "init", "--config", configuration));
  const contender = (name: keyof typeof policies): Contender => ({
    name,
    command: () => command("backup", "--policy", name.replaceAll(" ", "-"), "--full", "--config", configuration),
  });
  return {
    name: "policy-20-vms",
    ours: contender("with overlap"),
    others: [contender("without overlap"), contender("one after the other")],
    close: async () => {
      await lab.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function policiesText(): string {
  const entries = Object.entries(policies).map(
    ([name, limits]) => `  ${name.replaceAll(" ", "-")}: { vms: { include: ["vm*"] }, limits: ${limits} }\n`,
  );
  return `policies:\n${entries.join("")}`;
}
