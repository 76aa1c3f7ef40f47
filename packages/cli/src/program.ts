import { Command } from "commander";

import type { Define, Invoke } from "./command.ts";
import { withCommonOptions } from "./common-options.ts";
import { version } from "./version.ts";

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Loads a command on demand, so that help and usage errors appear at once. */
  readonly load: () => Promise<{ readonly define: Define }>;
}

const COMMANDS: readonly Entry[] = [
  {
    name: "init",
    summary: "write ovault.yaml for an engine and a destination",
    load: () => import("./commands/init.ts"),
  },
  {
    name: "doctor",
    summary: "check the set-up; --fix removes what dead runs left",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "destination",
    summary: "set a destination up, or check that it can be trusted",
    load: () => import("./commands/destination.ts"),
  },
  {
    name: "vms",
    summary: "list virtual machines and how each disk would be taken",
    load: () => import("./commands/vms.ts"),
  },
  { name: "backup", summary: "back up virtual machines", load: () => import("./commands/backup.ts") },
  {
    name: "policies",
    summary: "list policies: what they select, and when they run",
    load: () => import("./commands/policies.ts"),
  },
  { name: "points", summary: "list recovery points", load: () => import("./commands/points.ts") },
  { name: "show", summary: "show one recovery point", load: () => import("./commands/show.ts") },
  {
    name: "forget",
    summary: "remove recovery points, named or by rules",
    load: () => import("./commands/forget.ts"),
  },
  {
    name: "prune",
    summary: "free the space of what no recovery point needs",
    load: () => import("./commands/prune.ts"),
  },
  {
    name: "space",
    summary: "show what the space of a destination is used for",
    load: () => import("./commands/space.ts"),
  },
  {
    name: "restore",
    summary: "restore a virtual machine, or one disk to a file",
    load: () => import("./commands/restore.ts"),
  },
  {
    name: "serve",
    summary: "serve the disks of a recovery point by NBD",
    load: () => import("./commands/serve.ts"),
  },
  {
    name: "verify",
    summary: "read recovery points back and check every block",
    load: () => import("./commands/verify.ts"),
  },
  {
    name: "repair",
    summary: "put a damaged repository right, and mark what is lost",
    load: () => import("./commands/repair.ts"),
  },
  {
    name: "copy",
    summary: "copy recovery points to another destination",
    load: () => import("./commands/copy.ts"),
  },
  {
    name: "key",
    summary: "what opens an encrypted repository: add, list, remove",
    load: () => import("./commands/key.ts"),
  },
  {
    name: "export-domain",
    summary: "give engines before 4.2 an export domain for backups, or take it away",
    load: () => import("./commands/export-domain.ts"),
  },
  { name: "lab", summary: "an oVirt to practise on, over real QEMU disks", load: () => import("./commands/lab.ts") },
];

/** The whole command line. Throws invalid input as CommanderError; prints nothing but help. */
export function createProgram(invoke: Invoke): Command {
  const program = new Command("ovault")
    .description("Back up and restore virtual machines of oVirt, OLVM and RHV.")
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .addHelpText("after", "\nEvery command has its own help: ovault backup --help");
  for (const { name, summary, load } of COMMANDS) {
    const command = withCommonOptions(program.command(name).description(summary));
    loaders.set(command, async () => (await load()).define(command, invoke));
  }
  program.hook("preSubcommand", async (_, command) => await loaders.get(command)?.());
  return withCommonOptions(program);
}

const loaders = new WeakMap<Command, () => Promise<void>>();
