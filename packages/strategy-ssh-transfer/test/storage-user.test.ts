import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { expect, test, vi } from "vitest";

import { Bench } from "./support/bench.ts";
import { differences } from "./support/findings.ts";

vi.setConfig({ testTimeout: 60_000 });

const run = promisify(execFile);
/** Plays VDSM's user. */
const NOBODY = 65_534;

test.skipIf(process.getuid?.() !== 0)("root serves disks as VDSM, whose storage may refuse root", async () => {
  const bench = await Bench.open();
  try {
    const tools = bench.lab.hosts[0]?.ssh?.tools ?? "";
    const id =
      '#!/bin/sh\nfor word; do shift; [ "$word" = vdsm ] && word=nobody; set -- "$@" "$word"; done\nexec /usr/bin/id "$@"\n';
    await run("mkdir", ["-p", tools]);
    await writeFile(join(tools, "id"), id, { mode: 0o755 });
    for (let path = bench.lab.dataCenters; path !== "/"; path = dirname(path)) await run("chmod", ["a+x", path]);
    await run("chmod", ["-R", "a+rX", bench.lab.dataCenters, join(bench.lab.directory, "storage")]);
    const users = new Set<number>();
    const whenOpen = async (): Promise<void> => {
      for (const process of await readdir("/proc")) {
        const line = await readFile(`/proc/${process}/cmdline`, "utf8").catch(() => "");
        if (!line.startsWith("qemu-nbd\0") || !line.includes(bench.lab.dataCenters)) continue;
        users.add(Number(/^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${process}/status`, "utf8"))?.[1]));
      }
    };
    const taken = await bench.backup({ keepBase: false, whenOpen });
    expect([...users]).toEqual([NOBODY]);
    expect(await differences(bench, taken)).toEqual([]);
    expect(await bench.settled("web")).toEqual([]);
  } finally {
    await bench.close();
  }
});
