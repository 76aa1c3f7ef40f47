import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { vmIdOf } from "./support/backup-steps.ts";
import {
  attachedDomain,
  centerPath,
  exported,
  isDown,
  refusal,
  startImport,
  withSite,
  type ExportSite,
} from "./support/export-site.ts";
import { MIB, runQemuIo, withImages } from "./support/lab-fixture.ts";

const run = promisify(execFile);

test("machines of one template have its volume below their own", async () => {
  await withTemplate(async (site) => {
    const { client, lab } = site;
    const templates = (await client.get("/templates")).xml.children("template");
    const golden = templates.find((template) => template.text("name") === "golden")?.attribute("id");
    for (const name of ["web", "mail"]) {
      const { xml } = await client.get(`/vms/${vmIdOf(site, name)}`);
      expect(xml.child("template")?.attribute("id")).toBe(golden);
    }
    const bases = lab.vms.map(async ({ disks: [disk] }) => backingOf(disk?.path ?? ""));
    expect(new Set(await Promise.all(bases)).size).toBe(1);
  });
});

test("an export of a template-based machine leaves the template's volumes out, a collapsed one takes them along", async () => {
  await withTemplate(async (site) => {
    const { lab, staging } = site;
    const id = await attachedDomain(site);
    const [disk] = lab.vms.find(({ name }) => name === "web")?.disks ?? [];
    const base = await backingOf(disk?.path ?? "");
    await exported(site, { discardSnapshots: false });
    const image = join(staging, id, "images", disk?.id ?? "");
    const [volume = ""] = (await readdir(image)).filter((name) => !name.endsWith(".meta"));
    expect(await readdir(image)).toEqual([volume, `${volume}.meta`]);
    expect(await readFile(join(image, `${volume}.meta`), "utf8")).toContain(`PUUID=${base}\n`);
    expect(await ovfOf(site, id)).toContain("<TemplateName>golden</TemplateName>");

    await exported(site, { exclusive: true });
    expect(await readFile(join(image, `${volume}.meta`), "utf8")).toContain(
      "PUUID=00000000-0000-0000-0000-000000000000\n",
    );
    expect(await ovfOf(site, id)).toContain("<TemplateName>Blank</TemplateName>");
    await startImport(site, id, { cloneName: "copy" });
    await site.client.until(`/vms/${vmIdOf(site, "copy")}`, isDown);
    expect(await bytesOf(site, "copy")).toEqual([3, 7]);
  });
});

test("what was exported without its template comes back only to an engine that has the template", async () => {
  await withTemplate(async (site) => {
    const { client, staging, storage } = site;
    const id = await attachedDomain(site);
    const vm = vmIdOf(site);
    await exported(site, { discardSnapshots: false });
    expect(refusal(await startImport(site, id, { cloneName: "copy" }))).toEqual([
      409,
      expect.stringContaining("must be collapsed"),
    ]);
    expect(refusal(await startImport(site, id, { cloneName: "copy", collapse: true }))).toEqual([
      409,
      expect.stringContaining("Template is missing"),
    ]);
    await client.delete(`/vms/${vm}`);
    await client.untilGone(`/vms/${vm}`);
    await client.until("/disks", ({ xml }) => xml.children("disk").length === 1);
    expect((await startImport(site, id, { vm })).status).toBe(200);
    await client.until(`/vms/${vm}`, isDown);
    expect(await bytesOf(site, "web")).toEqual([3, 7]);

    const place = `${await centerPath(site)}/storagedomains/${id}`;
    await client.post(`${place}/deactivate`);
    await client.delete(place);
    await withSite({}, async (other) => {
      const there = { ...other, staging, storage };
      await attachedDomain(there);
      const wish = { vm, cloneName: "copy" };
      expect(refusal(await startImport(there, id, wish))).toEqual([
        409,
        expect.stringContaining("Template doesn't exist"),
      ]);
    });
  });
});

test("a clone of a snapshot has whole disks, and no template", async () => {
  await withTemplate(async (site) => {
    const { client, lab } = site;
    const snapshots = `/vms/${vmIdOf(site)}/snapshots`;
    const { xml } = await client.post(snapshots, "<snapshot><description>one</description></snapshot>");
    await client.untilText(`${snapshots}/${xml.attribute("id")}`, "snapshot_status", "ok");
    const wish = `<vm><name>clone</name><cluster><name>Default</name></cluster><snapshots><snapshot id="${xml.attribute("id")}"/></snapshots></vm>`;
    await client.post("/vms", wish);
    await client.until(`/vms/${vmIdOf(site, "clone")}`, isDown);
    const [disk] = lab.vms.find(({ name }) => name === "clone")?.disks ?? [];
    expect(await backingOf(disk?.path ?? "")).toBe("");
    expect(await bytesOf(site, "clone")).toEqual([3, 7]);
    const clone = await client.get(`/vms/${vmIdOf(site, "clone")}`);
    expect(clone.xml.child("template")?.attribute("id")).toBe("00000000-0000-0000-0000-000000000000");
  });
});

/** `web` and `mail`, down, of the template `golden`, which has 3 at 1 MiB; `web` has 7 at 2 MiB. */
async function withTemplate(work: (site: ExportSite) => Promise<void>): Promise<void> {
  await withImages(async ({ directory, cow }) => {
    const [web, mail] = [join(directory, "web.qcow2"), join(directory, "mail.qcow2")];
    await runQemuIo(cow, "write -P 3 1M 1M");
    for (const layer of [web, mail]) {
      await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", cow, "-F", "qcow2", layer]);
    }
    await runQemuIo(web, "write -P 7 2M 1M");
    const request = { template: "golden", down: true };
    const vms = [
      { name: "web", images: [web], ...request },
      { name: "mail", images: [mail], ...request },
    ];
    await withSite({ vms }, work);
  });
}

/** Name of the file below. */
async function backingOf(image: string): Promise<string> {
  const { stdout } = await run("qemu-img", ["info", "-U", "--output=json", image]);
  const info: { readonly "backing-filename"?: string } = JSON.parse(stdout);
  return info["backing-filename"] ?? "";
}

/** One byte of each of the two places that were written. */
async function bytesOf({ lab, directory }: ExportSite, name: string): Promise<readonly (number | undefined)[]> {
  const [disk] = lab.vms.find((vm) => vm.name === name)?.disks ?? [];
  const view = join(directory, `${name}.raw`);
  await lab.view(disk?.id ?? "", view);
  const bytes = await readFile(view);
  return [bytes[MIB], bytes[2 * MIB]];
}

async function ovfOf(site: ExportSite, domainId: string): Promise<string> {
  const vm = vmIdOf(site);
  return readFile(join(site.staging, domainId, "master/vms", vm, `${vm}.ovf`), "utf8");
}
