import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import type { BlockDomain, BlockStorage, BlockVolume } from "../src/index.ts";
import { homeDomain, move, settled } from "./support/data-disks.ts";
import { MIB, runQemuIo, withImages, withLab, type LabFixture } from "./support/lab-fixture.ts";

/** Keeps each volume as a file of its name. */
class FileStorage implements BlockStorage {
  readonly domains: BlockDomain[] = [];
  readonly volumes = new Map<string, BlockVolume>();
  readonly inUse = new Map<string, readonly string[]>();
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  path(volumeId: string): string {
    return join(this.#directory, volumeId);
  }

  async open(domain: BlockDomain): Promise<void> {
    this.domains.push(domain);
    await mkdir(this.#directory, { recursive: true });
  }

  async write(volume: BlockVolume, file: string): Promise<void> {
    this.volumes.set(volume.volumeId, volume);
    await copyFile(file, this.path(volume.volumeId));
  }

  async read({ volumeId }: BlockVolume, file: string): Promise<void> {
    await copyFile(this.path(volumeId), file);
  }

  async remove({ volumeId }: Pick<BlockVolume, "volumeId">): Promise<void> {
    this.volumes.delete(volumeId);
    await rm(this.path(volumeId), { force: true });
  }

  async use(vmId: string, volumes: readonly BlockVolume[]): Promise<void> {
    this.inUse.set(
      vmId,
      volumes.map(({ volumeId }) => volumeId),
    );
  }
}

const storageDomains = [{ name: "san", storageType: "iscsi" }] as const;

/** A lab whose machine `web` has its disks on block storage. */
async function withBlockLab(work: (fixture: LabFixture, storage: FileStorage) => Promise<void>): Promise<void> {
  await withImages(async ({ directory, cow, raw }) => {
    const blockStorage = new FileStorage(join(directory, "volumes"));
    const vms = [{ name: "web", images: [cow, raw], storageDomain: "san" }];
    await withLab({ inventory: { storageDomains }, vms, blockStorage }, (fixture) => work(fixture, blockStorage));
  });
}

test("the engine reports block storage, and refuses raw disks that are thin there", async () => {
  await withBlockLab(async ({ lab, client }, storage) => {
    const san = (await client.get("/storagedomains")).xml
      .children("storage_domain")
      .find((domain) => domain.text("name") === "san");
    expect(san?.text("storage", "type")).toBe("iscsi");
    expect(storage.domains.map(({ storageDomainId }) => storageDomainId)).toEqual([san?.attribute("id")]);
    const disk = (sparse: boolean): string =>
      `<disk><format>raw</format><sparse>${sparse}</sparse><provisioned_size>${MIB}</provisioned_size>` +
      `<storage_domains><storage_domain id="${san?.attribute("id")}"/></storage_domains></disk>`;
    const refused = await client.post("/disks", disk(true));
    expect(refused.status).toBe(400);
    expect(refused.text).toContain("incompatible with the storage domain type");
    const made = await client.post("/disks", disk(false));
    expect(made.status).toBe(202);
    await client.untilText(`/disks/${made.xml.attribute("id")}`, "status", "ok");
    const raw = lab.vms[0]?.disks[1]?.id;
    expect((await client.get(`/disks/${raw}`)).xml.text("sparse")).toBe("false");
    expect((await client.get(`/disks/${raw}`)).xml.text("actual_size")).toBe(String(128 * MIB));
    const [dataCenter = ""] = (await readdir(lab.dataCenters)).filter((name) => name !== "mnt");
    expect(await readdir(join(lab.dataCenters, dataCenter))).not.toContain(san?.attribute("id"));
  });
});

test("block storage has the volumes of each disk, with what a snapshot froze, and loses those that are merged", async () => {
  await withBlockLab(async ({ lab, client }, storage) => {
    const vm = lab.vms[0]?.id ?? "";
    const cow = (): string => lab.vms[0]?.disks[0]?.path.split("/").at(-1) ?? "";
    const base = cow();
    expect(storage.volumes.get(base)).toMatchObject({ format: "cow", virtualBytes: 8 * MIB });
    expect(storage.inUse.get(vm)).toContain(base);
    await lab.write("web", "0", { offset: MIB, length: MIB, kind: "pattern", pattern: 7 });
    const made = await client.post(
      `/vms/${vm}/snapshots`,
      "<snapshot><persist_memorystate>false</persist_memorystate></snapshot>",
    );
    const snapshot = `/vms/${vm}/snapshots/${made.xml.attribute("id")}`;
    await client.untilText(snapshot, "snapshot_status", "ok");
    expect(await readFile(storage.path(base))).toSatisfy((bytes: Buffer) => bytes.includes(Buffer.alloc(MIB, 7)));
    expect(storage.volumes.get(cow())).toMatchObject({ parentId: base, bytes: 1024 * MIB });
    expect(storage.inUse.get(vm)).toEqual(expect.arrayContaining([base, cow()]));
    await client.call("DELETE", snapshot);
    await client.until(snapshot, ({ status }) => status === 404);
    await lab.powerOff("web", { graceful: true });
    expect(storage.inUse.get(vm)).toEqual([]);
    expect([...storage.volumes.keys()].toSorted()).toEqual(
      lab.vms[0]?.disks.map(({ path }) => path.split("/").at(-1)).toSorted(),
    );
  });
});

test("a disk moves off block storage and back, live and at rest, and hosts see it where it is", async () => {
  await withBlockLab(async (fixture, storage) => {
    const { lab, client, directory } = fixture;
    const [vm, disk] = [lab.vms[0]?.id ?? "", lab.vms[0]?.disks[0]?.id ?? ""];
    const image = (await client.get(`/disks/${disk}`)).xml.text("image_id") ?? "";
    const san =
      (await client.get(`/disks/${disk}`)).xml.child("storage_domains", "storage_domain")?.attribute("id") ?? "";
    const home = await homeDomain(fixture);
    await lab.write("web", "0", { offset: 0, length: MIB, kind: "pattern", pattern: 5 });
    await move(fixture, disk, home);
    expect(await settled(fixture, disk)).toBe(home);
    expect([storage.volumes.has(image), storage.inUse.get(vm)?.includes(image)]).toEqual([false, false]);
    await move(fixture, disk, san);
    expect(await settled(fixture, disk)).toBe(san);
    expect(storage.inUse.get(vm)).toContain(image);
    await lab.powerOff("web", { graceful: true });
    expect(await readFile(storage.path(image))).toSatisfy((bytes: Buffer) => bytes.includes(Buffer.alloc(MIB, 5)));
    await move(fixture, disk, home);
    expect(await settled(fixture, disk)).toBe(home);
    expect(storage.volumes.has(image)).toBe(false);
    await lab.view(disk, join(directory, "view.raw"));
    expect((await readFile(join(directory, "view.raw"))).subarray(0, MIB)).toEqual(Buffer.alloc(MIB, 5));
  });
});

test("a machine has what a host wrote into a new disk on block storage", async () => {
  await withBlockLab(async ({ lab, client, directory }, storage) => {
    const made = await client.post(
      "/disks",
      `<disk><format>cow</format><provisioned_size>${8 * MIB}</provisioned_size><initial_size>${200 * MIB}</initial_size>` +
        `<storage_domains><storage_domain><name>san</name></storage_domain></storage_domains></disk>`,
    );
    const id = made.xml.attribute("id") ?? "";
    await client.untilText(`/disks/${id}`, "status", "ok");
    const volume = [...storage.volumes.values()].find(({ diskId }) => diskId === id);
    expect(volume?.bytes).toBe(220 * MIB);
    await runQemuIo(storage.path(volume?.volumeId ?? ""), "write -P 9 3M 1M");
    const view = join(directory, "view.raw");
    await lab.view(id, view);
    expect((await readFile(view)).subarray(3 * MIB, 4 * MIB)).toEqual(Buffer.alloc(MIB, 9));
    await client.post(
      `/vms/${lab.vms[0]?.id}/diskattachments`,
      `<disk_attachment><active>true</active><interface>virtio_scsi</interface><disk id="${id}"/></disk_attachment>`,
    );
    await lab.write("web", id, { offset: 0, length: MIB, kind: "pattern", pattern: 8 });
    await lab.powerOff("web", { graceful: true });
    await writeFile(view, "");
    await lab.view(id, view);
    const bytes = await readFile(view);
    expect([bytes[0], bytes[MIB - 1], bytes[3 * MIB]]).toEqual([8, 8, 9]);
    await lab.removeDisk("web", id);
    await client.until(`/disks/${id}`, ({ status }) => status === 404);
    expect(storage.volumes.has(volume?.volumeId ?? "")).toBe(false);
  });
});
