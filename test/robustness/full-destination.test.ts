import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { LoopDisk } from "../support/loop-disk.ts";
import { PracticeSite } from "../support/practice-site.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;

let site: PracticeSite;
let disk: LoopDisk | undefined;
beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 16 * MIB }] } });
  disk = await LoopDisk.mount(join(site.lab.directory, "disk"), 24 * MIB);
});
afterAll(async () => {
  await disk?.unmount();
  await site.stop();
});
beforeEach((context) => {
  if (disk === undefined) context.skip("no ext4 can be mounted here");
});

async function listed(): Promise<readonly { readonly id: string }[]> {
  return JSON.parse(await site.succeed("points", "--json")) as { id: string }[];
}

test("on an ext4 with not one block free, forget and prune make room, and what is kept restores", async () => {
  await site.configure(({ destinations, ...rest }) => ({
    ...rest,
    destinations: { main: { ...destinations.main, directory: "disk" } },
  }));
  await site.makeRepository("disk");
  const witness = new Witness(site);
  await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: 0, length: 8 * MIB });
  await site.backUp("web01");
  await site.lab.write("web01", "0", { kind: "random", seed: "2", offset: 0, length: 8 * MIB });
  const view = await witness.look("web01");
  await site.backUp("web01");
  await witness.attribute(view);
  // Keeps the reserve, where `init` did not.
  await site.succeed("prune");
  await disk?.fill();
  await expect(writeFile(join(disk?.directory ?? "", "one"), "x")).rejects.toMatchObject({ code: "ENOSPC" });
  const failure = await site.fail("backup", "web01", "--full");
  expect(failure).toMatchObject({ code: "E_STORE_FULL", hint: expect.stringContaining("ovault prune") });

  const [first, second] = await listed();
  await site.succeed("forget", first?.id ?? "");
  await disk?.fill();
  await site.succeed("prune", "--repack", "none", "--grace", "0");
  expect(await disk?.free()).toBeGreaterThan(6 * MIB);
  expect(await listed()).toMatchObject([{ id: second?.id }]);
  await site.succeed("verify", "--all");
  expect(await witness.allDiffering()).toEqual([]);
  await rm(join(disk?.directory ?? "", "filler"));
  await site.backUp("web01");
});
