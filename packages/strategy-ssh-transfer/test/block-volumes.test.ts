import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { FileLedger, type LedgerRun } from "@ovault/core";
import { BlockDomain, EXTENT_BYTES } from "@ovault/test-support/linux-guest/block-domain";
import { canStartGuests, type GuestUser } from "@ovault/test-support/linux-guest/linux-guest";
import { never } from "@ovault/testkit-ovirt";

import { VolumeError } from "../src/errors.ts";
import type { Hypervisor } from "../src/hosts/hypervisor.ts";
import { activateVolumes, type ActivatedVolumes } from "../src/volumes/activated-volumes.ts";
import { deactivateVolumes } from "../src/volumes/deactivate-volumes.ts";
import type { Volume } from "../src/volumes/volume.ts";
import { GuestHost } from "./support/guest-host.ts";

/** The first test file that needs the guest's image builds it. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 400_000 });

const has = await canStartGuests();

describe.skipIf(!has)("volumes on block storage", () => {
  let host: GuestHost;
  let hypervisor: Hypervisor;
  let run: LedgerRun;
  let directory: string;
  let ledger: FileLedger;
  let domain: BlockDomain;
  const dataCenterId = randomUUID();
  const volumes = new Map<string, Volume>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ovault-ledger-"));
    ledger = await FileLedger.open(directory);
    host = await GuestHost.start();
    domain = await BlockDomain.create(host.guest, { storageDomainId: randomUUID(), dataCenterId });
    hypervisor = await host.logIn("root");
    for (const name of ["first", "second"]) volumes.set(name, await newVolume());
  });
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  beforeEach(async () => {
    run = await ledger.forRun({ runId: randomUUID(), manager: "lab", strategy: "ssh-transfer" });
    return () => run.end();
  });

  /** Raw, and inactive. */
  async function newVolume(): Promise<Volume> {
    const [diskId, volumeId, { storageDomainId }] = [randomUUID(), randomUUID(), domain];
    await domain.add({ imageId: diskId, volumeId, bytes: 1, linked: false });
    return { dataCenterId, storageDomainId, diskId, volumeId, format: "raw", onBlock: true };
  }

  function volume(name: "first" | "second"): Volume {
    const found = volumes.get(name);
    if (found === undefined) throw new Error(`no volume ${name}`);
    return found;
  }

  function activate(chosen: readonly Volume[], as = hypervisor, unused = false): Promise<ActivatedVolumes> {
    const detail = { diskId: chosen[0]?.diskId ?? "" };
    return activateVolumes(
      as,
      chosen,
      { dataCenterDirectory: "/rhev/data-center", ledger: run, detail, unused },
      never,
    );
  }

  /** Titles of what the ledger has of the run. */
  async function recorded(): Promise<readonly string[]> {
    return (await ledger.report()).active.map(({ title }) => title);
  }

  test.each<GuestUser>(["root", "ovault"])("are active for as long as %s uses them", async (user) => {
    const as = await host.logIn(user);
    const [first, second] = [volume("first"), volume("second")];
    await domain.fill(first.volumeId, Buffer.from("of the guest"));
    const active = await activate([first, second], as);
    expect(await domain.active()).toEqual([first.volumeId, second.volumeId].toSorted());
    expect(await recorded()).toHaveLength(1);
    const { stdout } = await as.run('head -c 12 "$1"', [active.paths[0] ?? ""], { signal: never });
    expect(stdout).toBe("of the guest");
    await active.release();
    expect(await domain.active()).toEqual([]);
    expect(await recorded()).toEqual([]);
  });

  test.each(["filter", "devicesFile"] as const)("are found where the host's %s hides them", async (how) => {
    await domain.hide(how);
    try {
      expect(await host.guest.run("vgs --noheadings")).toBe("");
      const active = await activate([volume("first")]);
      expect(await domain.active()).toEqual([volume("first").volumeId]);
      await active.release();
      expect(await domain.active()).toEqual([]);
    } finally {
      await domain.hide("nothing");
    }
  });

  test("stay active, and in the ledger, while a process that uses them may still run", async () => {
    const [first, second] = [volume("first"), volume("second")];
    const [used, unused] = [await activate([first]), await activate([second])];
    const detail = { diskId: first.diskId, hostId: hypervisor.host.id };
    const process = await run.open({ kind: "host-process", title: "reader", detail });
    await used.release();
    await unused.release();
    expect(await domain.active()).toEqual([first.volumeId]);
    expect(await run.outstanding()).toMatchObject([
      { kind: "active-volumes", detail: { diskId: first.diskId, why: expect.stringContaining("reader") } },
      { kind: "host-process" },
    ]);
    await process.close();
    expect(await deactivateVolumes(hypervisor, [first], never)).toEqual([]);
    expect(await domain.active()).toEqual([]);
  });

  test("stay active if they were before", async () => {
    const { volumeId } = volume("first");
    await domain.activate(volumeId);
    const active = await activate([volume("first")]);
    expect(await recorded()).toEqual([]);
    await active.release();
    expect(await domain.active()).toEqual([volumeId]);
    await domain.deactivate(volumeId);
  });

  test("of two disks are deactivated by the last one", async () => {
    const [one, other] = [await activate([volume("first")]), await activate([volume("first"), volume("second")])];
    await one.release();
    expect(await domain.active()).toContain(volume("first").volumeId);
    await other.release();
    expect(await domain.active()).toEqual([]);
    expect(await recorded()).toEqual([]);
  });

  test("that something has open stay active, and in the ledger until they are not", async () => {
    const first = volume("first");
    const active = await activate([first, volume("second")]);
    const device = `/dev/${first.storageDomainId}/${first.volumeId}`;
    const reader = (await host.guest.run('sleep 600 < "$1" > /dev/null 2>&1 & echo $!', [device])).trim();
    await active.release();
    expect(await domain.active()).toEqual([first.volumeId]);
    expect(await recorded()).toHaveLength(1);
    expect(await deactivateVolumes(hypervisor, [first], never)).toEqual([first]);
    await expect(activate([first], hypervisor, true)).rejects.toThrow(/has the new volume .* open/);
    await host.guest.run("kill $1", [reader]);
    expect(await deactivateVolumes(hypervisor, [first], never)).toEqual([]);
    expect(await domain.active()).toEqual([]);
  });

  test("that VDSM uses meanwhile are VDSM's", async () => {
    const first = volume("first");
    const active = await activate([first]);
    // Of another disk, made from the same template.
    const image = `/run/vdsm/storage/${first.storageDomainId}/${randomUUID()}`;
    const link = `${image}/${first.volumeId}`;
    await host.guest.run('mkdir -p "$1" && ln -s "$2" "$3"', [image, active.paths[0] ?? "", link]);
    await active.release();
    expect(await domain.active()).toEqual([first.volumeId]);
    expect(await recorded()).toEqual([]);
    await host.guest.run('rm -r "$1"', [image]);
    await domain.deactivate(first.volumeId);
  });

  test("are refreshed when the device lacks a part that was added elsewhere", async () => {
    const grown = await newVolume();
    await domain.activate(grown.volumeId);
    await domain.extendElsewhere(grown.volumeId, 2 * EXTENT_BYTES);
    const device = `/dev/${grown.storageDomainId}/${grown.volumeId}`;
    const size = async () => Number(await host.guest.run('blockdev --getsize64 "$1"', [device]));
    expect(await size()).toBe(EXTENT_BYTES);
    await (await activate([grown])).release();
    expect(await size()).toBe(2 * EXTENT_BYTES);
    await domain.deactivate(grown.volumeId);
  });

  test("are not there: the error says so, and nothing is left", async () => {
    const unknown = { ...volume("first"), volumeId: randomUUID() };
    await expect(activate([volume("second"), unknown])).rejects.toThrow(
      `host kvm1 finds no volume ${unknown.volumeId} in the volume group ${unknown.storageDomainId}`,
    );
    const elsewhere = { ...volume("first"), storageDomainId: randomUUID() };
    await expect(activate([elsewhere])).rejects.toBeInstanceOf(VolumeError);
    expect(await domain.active()).toEqual([]);
    expect(await recorded()).toEqual([]);
  });

  test("need sudo: a refusal shows the lines that allow it, and nothing is left", async () => {
    const user = await host.logIn("ovault");
    await host.allowSudo(false);
    const refused = activate([volume("first")], user);
    await expect(refused).rejects.toMatchObject({ code: "E_VOLUME", hint: expect.stringContaining("NOPASSWD: ") });
    await host.allowSudo(true);
    expect(await domain.active()).toEqual([]);
    expect(await recorded()).toEqual([]);
  });

  test("are all that sudo lets the user of the docs change", async () => {
    const { storageDomainId, volumeId } = volume("first");
    const name = `${storageDomainId}/${volumeId}`;
    for (const command of [
      `lvremove -f ${name}`,
      `lvchange -ay ${name}`,
      `lvchange --config 'global{x=1}' -ay -- ${name}`,
      "sh -c id",
    ]) {
      await expect(host.guest.run(`sudo -n ${command}`, [], { as: "ovault" })).rejects.toThrow("password is required");
    }
  });
});
