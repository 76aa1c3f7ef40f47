import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import {
  attach,
  attachedDomain,
  createDomain,
  eventCodes,
  isDown,
  refusal,
  startExport,
  startImport,
  withSite,
} from "./support/export-site.ts";
import { MIB } from "./support/lab-fixture.ts";

test.each(["3.6", "4.1", "4.3"] as const)(
  "%s: a machine is exported over NFS, and comes back byte for byte",
  async (engineVersion) => {
    await withSite({ engineVersion }, async (site) => {
      const { client, lab, staging } = site;
      const id = await attachedDomain(site);
      await lab.write("web", "0", { kind: "pattern", pattern: 7, offset: MIB, length: MIB });
      await lab.powerOff("web", { graceful: true });
      const vm = vmIdOf(site);
      const [root] = diskIdsOf(site);
      expect((await startExport(site)).status).toBe(200);
      await client.until(`/vms/${vm}`, isDown);

      const tree = join(staging, id);
      expect(await readdir(join(tree, "master/vms", vm))).toEqual([`${vm}.ovf`]);
      const files = await readdir(join(tree, "images", root));
      expect(files.filter((name) => name.endsWith(".meta"))).toHaveLength(1);
      const meta = await readFile(
        join(tree, "images", root, files.find((name) => name.endsWith(".meta")) ?? ""),
        "utf8",
      );
      expect(meta).toContain(`SIZE=${(8 * MIB) / 512}\n`);
      expect(meta).toContain(`DOMAIN=${id}\n`);
      const listed = (await client.get(`/storagedomains/${id}/vms`)).xml.children("vm");
      expect(listed.map((one) => [one.attribute("id"), one.text("name")])).toEqual([[vm, "web"]]);
      expect((await startExport(site)).status).toBe(409); // it lies there already

      const back = await startImport(site, id, { cloneName: "back" });
      expect(back.status).toBe(200);
      const copy = () => lab.vms.find(({ name }) => name === "back");
      await client.until(`/vms/${copy()?.id}`, isDown);
      const view = join(site.directory, "view.raw");
      await lab.view(copy()?.disks[0]?.id ?? "", view);
      expect([...new Set((await readFile(view)).subarray(MIB, 2 * MIB))]).toEqual([7]);

      expect((await client.delete(`/storagedomains/${id}/vms/${vm}`)).status).toBe(200);
      expect([await readdir(join(tree, "images")), await readdir(join(tree, "master/vms"))]).toEqual([[], []]);
    });
  },
);

test("an export domain is refused where a host would refuse it", async () => {
  await withSite({}, async (site) => {
    const first = await attachedDomain(site);
    const second = await createDomain(site, "second");
    expect(refusal(second)).toEqual([409, expect.stringContaining("Storage connection already exists")]);
    expect((await createDomain(site, "third", "/nothing")).status).toBe(409);
    await rm(join(site.staging, first), { recursive: true });
    await site.client.delete(`/storagedomains/${first}?host=lab-host&destroy=true`);
    const data = join(site.staging, "6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11");
    await mkdir(join(data, "dom_md"), { recursive: true });
    await writeFile(join(data, "dom_md/metadata"), "CLASS=Data\n");
    expect(refusal(await createDomain(site, "data"))).toEqual([409, expect.stringContaining("not empty")]);
    await rm(data, { recursive: true });
    const other = await createDomain(site, "other");
    expect(other.status).toBe(201);
    expect((await attach(site, other.xml.attribute("id") ?? "")).status).toBe(201);
  });
  await withSite(
    {},
    async (site) => {
      const wrong = await createDomain(site, "wrong");
      expect([wrong.status, wrong.xml.text("detail")]).toEqual([409, expect.stringContaining("Permission settings")]);
    },
    { uid: 0, gid: 0 },
  );
});

test("what is damaged is refused at import and at activation, and a failed export leaves no machine", async () => {
  await withSite({}, async (site) => {
    const { client, lab, staging } = site;
    const id = await attachedDomain(site);
    const vm = vmIdOf(site);
    expect((await startExport(site)).status).toBe(409); // it runs
    await lab.powerOff("web", { graceful: true });
    await lab.fault("export-failure", "once");
    await startExport(site);
    await client.untilText(`/vms/${vm}`, "status", "down");
    expect((await client.get(`/storagedomains/${id}/vms`)).xml.children("vm")).toHaveLength(0);
    expect(await eventCodes(site)).toContain(1151);
    await startExport(site, { exclusive: true }); // over the disk that was complete
    await client.untilText(`/vms/${vm}`, "status", "down");
    await lab.fault("import-refused", "once");
    expect((await startImport(site, id, { cloneName: "back" })).status).toBe(409);
    const [root] = diskIdsOf(site);
    const images = join(staging, id, "images", root);
    const meta = (await readdir(images)).find((name) => name.endsWith(".meta")) ?? "";
    const text = await readFile(join(images, meta), "utf8");
    await writeFile(join(images, meta), text.replace("LEGALITY=LEGAL", "LEGALITY=ILLEGAL"));
    expect((await startImport(site, id, { cloneName: "back" })).xml.text("fault", "detail")).toContain("is illegal");

    const center = (await client.get("/datacenters")).xml.child("data_center")?.attribute("id");
    const place = `/datacenters/${center}/storagedomains/${id}`;
    expect((await client.get(place)).xml.text("status")).toBe("active");
    await client.post(`${place}/deactivate`);
    expect((await startExport(site)).status).toBe(409);
    const metadata = join(staging, id, "dom_md/metadata");
    const sealed = await readFile(metadata, "utf8");
    await writeFile(metadata, sealed.replace("ROLE=Regular", "ROLE=Master"));
    expect((await client.post(`${place}/activate`)).xml.text("fault", "detail")).toContain("seal is broken");
    await writeFile(metadata, sealed);
    expect((await client.post(`${place}/activate`)).status).toBe(200);
    await client.post(`${place}/deactivate`);
    expect((await client.delete(place)).status).toBe(200);
    expect(await readFile(metadata, "utf8")).toContain("POOL_UUID=\n");
    expect((await client.delete(`/storagedomains/${id}?host=lab-host&format=true`)).status).toBe(200);
    await expect(stat(join(staging, id))).rejects.toThrow("ENOENT");
  });
});
