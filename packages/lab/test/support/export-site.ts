import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LocalFileSystem, NfsServer } from "@ovault/nfs";
import { expect } from "vitest";

import type { LabOptions } from "../../src/index.ts";
import type { XmlNode } from "../../src/engine/xml/read-xml.ts";
import { vmIdOf } from "./backup-steps.ts";
import type { Answer } from "./engine-client.ts";
import { withLab, type LabFixture } from "./lab-fixture.ts";

/** A lab, and an NFS export for its export domains. */
export interface ExportSite extends LabFixture {
  /** The exported folder. */
  readonly staging: string;
  /** `<storage>` of the export, but for its path. */
  readonly storage: string;
}

const VDSM = { uid: 36, gid: 36 };

export async function withSite(
  options: Partial<LabOptions>,
  work: (site: ExportSite) => Promise<void>,
  owner = VDSM,
): Promise<void> {
  const staging = await mkdtemp(join(tmpdir(), "ovault-lab-staging-"));
  await chmod(staging, 0o755); // QEMU enters it, too
  await using files = await LocalFileSystem.open(staging, { owner });
  const errors: unknown[] = [];
  await using server = await NfsServer.listen({
    files,
    fileSystemId: 7n,
    path: "/staging",
    allow: ["127.0.0.1"],
    port: 0,
    onError: (error) => errors.push(error),
  });
  const storage = `<type>nfs</type><address>127.0.0.1</address><mount_options>port=${server.port},mountport=${server.port}</mount_options>`;
  try {
    await withLab(options, (fixture) => work({ ...fixture, staging, storage }));
    expect(errors).toEqual([]);
  } finally {
    await rm(staging, { recursive: true });
  }
}

export function createDomain({ client, storage }: ExportSite, name: string, path = "/staging"): Promise<Answer> {
  const body = `<storage_domain><name>${name}</name><type>export</type><host><name>lab-host</name></host><storage>${storage}<path>${path}</path></storage></storage_domain>`;
  return client.post("/storagedomains", body);
}

/** Path of a data centre. */
export async function centerPath({ client }: Pick<ExportSite, "client">, name = "Default"): Promise<string> {
  const centers = (await client.get("/datacenters")).xml.children("data_center");
  return `/datacenters/${centers.find((center) => center.text("name") === name)?.attribute("id")}`;
}

export async function attach(site: ExportSite, id: string, center?: string): Promise<Answer> {
  return site.client.post(`${await centerPath(site, center)}/storagedomains`, `<storage_domain id="${id}"/>`);
}

/** The id of the export domain `staging`, which is active. */
export async function attachedDomain(site: ExportSite, center?: string): Promise<string> {
  const id = (await createDomain(site, "staging")).xml.attribute("id") ?? "";
  expect((await attach(site, id, center)).status).toBe(201);
  return id;
}

export interface ExportWish {
  readonly vm?: string;
  readonly domain?: string;
  readonly exclusive?: boolean;
  readonly discardSnapshots?: boolean;
}

/** Asks for an export of `web`. */
export function startExport(fixture: LabFixture, wish: ExportWish = {}): Promise<Answer> {
  const { vm = vmIdOf(fixture), domain = "staging", exclusive = false, discardSnapshots = true } = wish;
  const flags = `<exclusive>${exclusive}</exclusive><discard_snapshots>${discardSnapshots}</discard_snapshots>`;
  const body = `<action><storage_domain><name>${domain}</name></storage_domain>${flags}</action>`;
  return fixture.client.post(`/vms/${vm}/export`, body);
}

/** Exports `web`, and waits until it is free again. */
export async function exported(fixture: LabFixture, wish: ExportWish = {}): Promise<void> {
  expect((await startExport(fixture, wish)).status).toBe(200);
  await fixture.client.until(`/vms/${wish.vm ?? vmIdOf(fixture)}`, isDown);
}

export interface ImportWish {
  readonly vm?: string;
  /** Absent: with its own ids and name. */
  readonly cloneName?: string;
  readonly collapse?: boolean;
  readonly storageDomain?: string;
  readonly cluster?: string;
}

/** Asks for an import, in version 4. */
export function startImport(fixture: LabFixture, domainId: string, wish: ImportWish = {}): Promise<Answer> {
  const { vm = vmIdOf(fixture), cloneName, collapse = false } = wish;
  const { storageDomain = "lab-storage", cluster = "Default" } = wish;
  const name = cloneName === undefined ? "" : `<clone>true</clone><vm><name>${cloneName}</name></vm>`;
  const body = `<action><storage_domain><name>${storageDomain}</name></storage_domain><cluster><name>${cluster}</name></cluster>${name}</action>`;
  const query = collapse ? "?collapse_snapshots=true" : "";
  return fixture.client.post(`/storagedomains/${domainId}/vms/${vm}/import${query}`, body);
}

export function isDown({ xml }: Pick<Answer, "xml">): boolean {
  return stateOf(xml) === "down";
}

/** The status of a machine in either version of the API. */
export function stateOf(vm: XmlNode): string | undefined {
  return vm.text("status", "state") ?? vm.text("status");
}

/** Names of the machines in an export domain. */
export async function namesIn({ client }: LabFixture, domainId: string): Promise<readonly (string | undefined)[]> {
  return (await client.get(`/storagedomains/${domainId}/vms`)).xml.children("vm").map((vm) => vm.text("name"));
}

export async function eventCodes({ client }: LabFixture): Promise<readonly (number | undefined)[]> {
  return (await client.get("/events")).xml.children("event").map((event) => event.integer("code"));
}

/** Why the engine refused an action. */
export function refusal({ status, xml }: Answer): readonly [status: number, detail: string | undefined] {
  return [status, xml.text("fault", "detail") ?? xml.text("detail")];
}
