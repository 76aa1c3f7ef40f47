import { randomBytes } from "node:crypto";

import { canStartGuests, type GuestUser } from "@ovault/test-support/linux-guest/linux-guest";
import { differences } from "@ovault/testkit-ovirt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { never, type Taken } from "./support/bench.ts";
import { GuestBench } from "./support/guest-bench.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 400_000 });

const MIB = 1024 * 1024;
const has = await canStartGuests();

describe.skipIf(!has)("a machine on block storage", () => {
  let bench: GuestBench;
  let base: Taken;

  beforeAll(async () => {
    bench = await GuestBench.open("4.5");
  });
  afterAll(() => bench?.close());

  /** What runs have left on the host, on the engine and in the ledger, beside kept snapshots and these machines. */
  async function left(...machines: readonly string[]): Promise<readonly string[]> {
    const processes = await bench.host.guest.run(
      "pgrep -a qemu-nbd || true; ls -d /run/ovault-* /tmp/ovault-* 2>&- || true",
    );
    const active = await bench.storage.domain.active();
    const others = (await bench.left("web", ...machines)).filter((one) => !one.startsWith("snapshots: "));
    return [...processes.split("\n").filter(Boolean), ...active, ...others];
  }

  test("is backed up in full by root, and what changed by a user with sudo", async () => {
    const full = await bench.backup();
    expect(full.point.disks.map(({ mode }) => mode)).toEqual(["full", "full"]);
    expect(differences(full, await bench.viewAll())).toEqual([]);
    await bench.write(0, { kind: "random", seed: "first", offset: 5 * MIB, length: 300_032 });
    await bench.write(1, { kind: "random", seed: "second", offset: MIB, length: 4096 });
    base = await bench.backup({ strategy: bench.strategyAs("ovault"), base: full });
    expect(base.point.disks.map(({ mode }) => mode)).toEqual(["incremental", "incremental"]);
    expect(differences(base, await bench.viewAll())).toEqual([]);
    expect(await left()).toEqual([]);
  });

  test.each<GuestUser>(["root", "ovault"])("is restored by %s", async (user) => {
    const name = `restored-by-${user}`;
    await bench.restore(base, name, { strategy: bench.strategyAs(user), wishes: { storageDomain: "san" } });
    const images = [...base.images.values()];
    for (const [index, { id }] of (await bench.vm(name)).disks.entries()) {
      const [seen, image] = [await bench.view(id), images[index] ?? Buffer.of()];
      expect(seen.subarray(0, image.length).equals(image)).toBe(true);
    }
    expect(await left("restored-by-root", "restored-by-ovault")).toEqual([]);
  });

  test("has too little room: the restore says so, and leaves nothing", async () => {
    const [disk] = base.point.disks;
    if (disk === undefined) throw new Error("no disk");
    // The engine gives it room for the data of the point, and more is written.
    const larger = { ...disk, disk: { ...disk.disk, logicalBytes: 256 * MIB } };
    const taken = { ...base, point: { ...base.point, disks: [larger] } };
    const restored = bench.restore(taken, "too-large", {
      wishes: { storageDomain: "san" },
      instead: async ({ disks: [target] }) => {
        for (let offset = 0; offset < 144 * MIB; offset += MIB) await target?.write(offset, randomBytes(MIB), never);
        await target?.flush(never);
      },
    });
    await expect(restored).rejects.toMatchObject({ code: "E_VOLUME_FULL" });
    expect(await left("restored-by-root", "restored-by-ovault")).toEqual([]);
  });

  test("has nothing of a dead restore any more after the next run", async () => {
    const volumes = await bench.storage.domain.volumes();
    const dead = bench.restore(base, "dead", {
      wishes: { storageDomain: "san" },
      abandon: true,
      instead: async ({ disks: [target] }) => {
        await target?.write(0, randomBytes(MIB), never);
        throw new Error("killed");
      },
    });
    await expect(dead).rejects.toThrow("killed");
    expect(await bench.storage.domain.active()).toHaveLength(2);
    const actions = await bench.removeLeftovers();
    const verbs = ["end", "end", "deactivate", "deactivate", "delete", "delete"];
    expect(actions.map((action) => action.split(" ")[0])).toEqual(verbs);
    expect(await left("restored-by-root", "restored-by-ovault")).toEqual([]);
    expect(await bench.storage.domain.volumes()).toEqual(volumes);
  });
});
