import { startLab } from "../../src/index.ts";

/** A lab in a process of its own, to be killed: `node lab-process.ts DIRECTORY IMAGE…` writes a line when it is up. */
const [directory = "", ...images] = process.argv.slice(2);
const lab = await startLab({ directory, vms: [{ name: "web", images }], delayMs: 20 });
process.stdout.write(`${lab.url}\n`);
await lab.ended;
