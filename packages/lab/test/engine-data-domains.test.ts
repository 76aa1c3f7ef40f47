import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { expect, test } from "vitest";

import { isLockspaceSlot } from "../src/data-domain/sanlock-records.ts";
import { activeDataDomain, createDataDomain, domainPath, intoMaintenance } from "./support/data-site.ts";
import { attach, eventCodes, refusal, withSite } from "./support/export-site.ts";
import { MIB } from "./support/lab-fixture.ts";

test("a data domain is made, attached, used, detached, imported and removed", async () => {
  await withSite({}, async (site) => {
    const { client, lab, staging } = site;
    const id = await activeDataDomain(site);
    const meta = join(staging, id, "dom_md");
    const sizes = await Promise.all(
      ["ids", "inbox", "leases", "outbox", "xleases"].map(async (name) => (await stat(join(meta, name))).size),
    );
    expect(sizes).toEqual([MIB, 16 * MIB, 2 * MIB, 16 * MIB, MIB + 253_952]);
    const { xml: shown } = await client.get(`/storagedomains/${id}`);
    expect([shown.text("storage_format"), shown.text("type"), shown.text("status")]).toEqual(["v5", "data", undefined]);
    expect([shown.text("storage", "path"), shown.text("storage", "nfs_version")]).toEqual(["/staging", "auto"]);
    expect(await readFile(join(meta, "metadata"), "utf8")).toMatch(/POOL_UUID=[0-9a-f-]{36}\n/);

    const slots = await readFile(join(meta, "ids"));
    expect(isLockspaceSlot(slots.subarray(0, 512), id)).toBe(true);
    await expect.poll(() => lab.dataDomains[0]?.renewals?.renewed, { timeout: 5000 }).toBeGreaterThan(1);
    expect((await readFile(join(meta, "ids"))).equals(slots)).toBe(false);
    expect(lab.dataDomains).toMatchObject([{ id, name: "ir1", status: "active", renewals: { late: 0 } }]);
    expect((await lab.status()).dataDomains).toHaveLength(1);

    expect((await client.delete(await domainPath(site, id))).status).toBe(409); // it is active
    await intoMaintenance(site, id);
    expect(lab.dataDomains[0]?.renewals).toBeUndefined();
    expect((await client.post(`${await domainPath(site, id)}/activate`)).status).toBe(200);
    await client.untilText(await domainPath(site, id), "status", "active");
    await intoMaintenance(site, id);
    expect((await client.delete(await domainPath(site, id))).status).toBe(200);
    expect((await client.get(`/storagedomains/${id}`)).xml.text("status")).toBe("unattached");
    expect(await readFile(join(meta, "metadata"), "utf8")).toContain("POOL_UUID=\n");

    expect((await client.delete(`/storagedomains/${id}`)).status).toBe(400); // without a host
    expect((await client.delete(`/storagedomains/${id}?host=lab-host`)).status).toBe(200);
    const again = await createDataDomain(site, "again");
    expect([again.status, again.xml.attribute("id")]).toEqual([201, id]);
    expect((await client.delete(`/storagedomains/${id}?host=lab-host&format=true`)).status).toBe(200);
    expect(await readdir(staging)).toEqual(["__DIRECT_IO_TEST__"]);
    expect(await eventCodes(site)).toEqual(expect.arrayContaining([956, 960, 962, 964, 966, 968]));
  });
});

const refused = async (...args: Parameters<typeof createDataDomain>) => refusal(await createDataDomain(...args));

test("a data domain is refused where an engine or its host refuses it", async () => {
  await withSite({}, async (site) => {
    expect(await refused(site, "lab-storage")).toEqual([409, expect.stringContaining("name is already in use")]);
    expect(await refused(site, "none", { path: "/none" })).toEqual([400, "[Problem while trying to mount target]"]);
    expect(await refused(site, "options", { storage: `${site.storage.replace("port=", "vers=3,port=")}` })).toEqual([
      400,
      expect.stringContaining("managed options: vers."),
    ]);
    expect((await refused(site, "v4", { storage: `${site.storage}<nfs_version>v4_2</nfs_version>` }))[0]).toBe(400);

    const data = join(site.staging, "6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11");
    await mkdir(join(data, "dom_md"), { recursive: true });
    await writeFile(join(data, "dom_md/metadata"), "CLASS=Backup\n");
    expect(await refused(site, "full")).toEqual([400, expect.stringContaining("not empty")]);
    await rm(data, { recursive: true });

    const id = (await createDataDomain(site, "one")).xml.attribute("id") ?? "";
    expect(await refused(site, "two")).toEqual([409, expect.stringContaining("connection already exists")]);
    const ids = join(site.staging, id, "dom_md/ids");
    const sound = await readFile(ids);
    await writeFile(ids, Buffer.alloc(MIB));
    expect(refusal(await attach(site, id))).toEqual([400, "[Cannot acquire host id]"]);
    await writeFile(ids, sound);
    const metadata = join(site.staging, id, "dom_md/metadata");
    const sealed = await readFile(metadata, "utf8");
    await writeFile(metadata, sealed.replace("ROLE=Regular", "ROLE=Master"));
    expect(refusal(await attach(site, id))).toEqual([409, expect.stringContaining("seal is broken")]);
    await rm(metadata);
    expect(refusal(await attach(site, id))).toEqual([400, expect.stringContaining("does not exist")]);
  });
  const root = { uid: 0, gid: 0 };
  await withSite(
    {},
    async (site) => {
      const [status, detail] = refusal(await createDataDomain(site, "wrong"));
      expect([status, detail]).toEqual([400, expect.stringContaining("Permission settings")]);
    },
    root,
  );
});

test("a domain of a newer format is refused, one of an older format is converted", async () => {
  await withSite({ engineVersion: "4.2" }, async (site) => {
    const newer = await createDataDomain(site, "new", { format: "v5" });
    expect(refusal(newer)).toEqual([400, expect.stringContaining("format V5 is illegal")]);
    const id = (await createDataDomain(site, "old", { format: "v3" })).xml.attribute("id") ?? "";
    const metadata = join(site.staging, id, "dom_md/metadata");
    expect(await readFile(metadata, "utf8")).toContain("VERSION=3\n");
    expect((await attach(site, id)).status).toBe(201);
    expect(await readFile(metadata, "utf8")).toContain("VERSION=4\n");
    await site.client.untilText(await domainPath(site, id), "status", "active");
  });
  await withSite({}, async (site) => {
    const id = (await createDataDomain(site, "v5")).xml.attribute("id") ?? "";
    await site.client.delete(`/storagedomains/${id}?host=lab-host`);
    await withSite({ engineVersion: "4.2" }, async (older) => {
      const imported = (await createDataDomain({ ...older, storage: site.storage }, "imported")).xml.attribute("id");
      expect(imported).toBe(id);
      expect(refusal(await attach(older, id))).toEqual([400, expect.stringContaining("format V5 is illegal")]);
    });
  });
});

test("a server that does not answer fails a mount within the host's patience", async () => {
  const silent = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  try {
    await withSite({}, async (site) => {
      const address = silent.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      const storage = `<type>nfs</type><address>127.0.0.1</address><mount_options>port=${port},mountport=${port}</mount_options>`;
      expect(refusal(await createDataDomain(site, "walled", { storage }))).toEqual([
        400,
        "[Problem while trying to mount target]",
      ]);
    });
  } finally {
    silent.close();
  }
});
