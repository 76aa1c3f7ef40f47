import { expect } from "vitest";

import type { Answer } from "./engine-client.ts";
import { centerPath, type ExportSite } from "./export-site.ts";

type Site = Pick<ExportSite, "client" | "storage">;

export interface DataWish {
  readonly path?: string;
  /** Elements of `<storage>` besides address, path and type. */
  readonly storage?: string;
  readonly format?: string;
}

/** Asks for a data domain on the site's export. */
export function createDataDomain(site: Site, name: string, wish: DataWish = {}): Promise<Answer> {
  const { path = "/staging", storage = site.storage, format } = wish;
  const asked = format === undefined ? "" : `<storage_format>${format}</storage_format>`;
  const body = `<storage_domain><name>${name}</name><type>data</type>${asked}<host><name>lab-host</name></host><storage>${storage}<path>${path}</path></storage></storage_domain>`;
  return site.client.post("/storagedomains", body);
}

/** Path of an attached domain below its data centre. */
export async function domainPath(site: Pick<ExportSite, "client">, id: string): Promise<string> {
  return `${await centerPath(site)}/storagedomains/${id}`;
}

/** Makes, attaches and activates a data domain; answers with its id. */
export async function activeDataDomain(site: Site, name = "ir1"): Promise<string> {
  const made = await createDataDomain(site, name);
  expect([made.status, made.text]).toEqual([201, expect.stringContaining("unattached")]);
  const id = made.xml.attribute("id") ?? "";
  const attached = await site.client.post(`${await centerPath(site)}/storagedomains`, `<storage_domain id="${id}"/>`);
  expect([attached.status, attached.xml.text("status")]).toEqual([201, "locked"]);
  await site.client.untilText(await domainPath(site, id), "status", "active");
  return id;
}

/** Deactivates a domain and waits until it is in maintenance. */
export async function intoMaintenance(site: Pick<ExportSite, "client">, id: string): Promise<void> {
  const path = await domainPath(site, id);
  expect((await site.client.post(`${path}/deactivate`)).status).toBe(200);
  await site.client.untilText(path, "status", "maintenance");
}
