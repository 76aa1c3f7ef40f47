import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "vitest";

import type { LabControl } from "../../src/index.ts";
import type { Answer, EngineClient } from "./engine-client.ts";
import { MIB } from "./lab-fixture.ts";
import { newVm } from "./new-vm.ts";

/** A lab in any process, and its engine. */
interface Fixture {
  readonly lab: LabControl;
  readonly client: EngineClient;
  readonly directory: string;
}

type Engine = Pick<Fixture, "client">;
type Lab = Pick<Fixture, "lab">;

/** Makes an empty disk of 4 MiB on a domain. */
export async function addDisk(
  { client }: Engine,
  domain: string,
  format: "raw" | "cow",
  sparse = true,
): Promise<string> {
  const place = `<storage_domains><storage_domain id="${domain}"/></storage_domains>`;
  const size = `<provisioned_size>${4 * MIB}</provisioned_size>`;
  const body = `<disk><name>d-${format}</name><format>${format}</format><sparse>${sparse}</sparse>${size}${place}</disk>`;
  const id = (await client.post("/disks", body)).xml.attribute("id") ?? "";
  await client.untilText(`/disks/${id}`, "status", "ok");
  return id;
}

/** A machine that is up, with these disks; answers with its id. */
export async function startedVm(fixture: Engine & Lab, name: string, disks: readonly string[]): Promise<string> {
  const { client, lab } = fixture;
  const id = (await newVm(client, name)).xml.attribute("id") ?? "";
  for (const disk of disks) {
    const body = `<disk_attachment><active>true</active><interface>virtio_scsi</interface><disk id="${disk}"/></disk_attachment>`;
    expect((await client.post(`/vms/${id}/diskattachments`, body)).status).toBe(201);
  }
  await lab.powerOn(name);
  return id;
}

/** The domain that comes with the lab. */
export async function homeDomain({ client }: Engine): Promise<string> {
  const all = (await client.get("/storagedomains")).xml.children("storage_domain");
  return all.find((one) => one.text("name") === "lab-storage")?.attribute("id") ?? "";
}

export function move({ client }: Engine, disk: string, domain: string): Promise<Answer> {
  return client.post(`/disks/${disk}/move`, `<action><storage_domain id="${domain}"/></action>`);
}

/** Waits until a disk is no more locked; answers with its storage domain. */
export async function settled({ client }: Engine, disk: string): Promise<string | undefined> {
  const { xml } = await client.untilText(`/disks/${disk}`, "status", "ok");
  return xml.child("storage_domains", "storage_domain")?.attribute("id");
}

/** Writes this byte over one MiB of the first disk, as its guest. */
export async function writeMib({ lab }: Lab, vm: string, index: number, pattern: number): Promise<void> {
  await lab.write(vm, "0", { kind: "pattern", pattern, offset: index * MIB, length: MIB });
}

/** The byte of each MiB; undefined for one with several. */
export async function bytesOf(
  { lab, directory }: Omit<Fixture, "client">,
  disk: string,
): Promise<readonly (number | undefined)[]> {
  const path = join(directory, "view.raw");
  await lab.view(disk, path);
  const bytes = await readFile(path);
  return Array.from({ length: bytes.length / MIB }, (_, index) => {
    const piece = new Set(bytes.subarray(index * MIB, (index + 1) * MIB));
    return piece.size === 1 ? [...piece][0] : undefined;
  });
}
