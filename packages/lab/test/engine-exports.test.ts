import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LocalFileSystem, NfsServer } from "@ovault/nfs";
import { expect, test } from "vitest";

import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { MIB, withLab, type LabFixture } from "./support/lab-fixture.ts";
import type { LabOptions } from "../src/index.ts";

interface Site extends LabFixture {
  readonly staging: string;
  readonly storage: string;
}

const VDSM = { uid: 36, gid: 36 };

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
      expect((await exported(site)).status).toBe(200);
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
      expect((await exported(site)).status).toBe(409); // it lies there already

      const back = await imported(site, id);
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
    expect([second.status, second.xml.text("detail")]).toEqual([409, expect.stringContaining("not empty")]);
    expect((await createDomain(site, "third", "/nothing")).status).toBe(409);
    await rm(join(site.staging, first), { recursive: true });
    const other = await createDomain(site, "other");
    expect(other.status).toBe(201);
    const attached = await attach(site, other.xml.attribute("id") ?? "");
    expect([attached.status, attached.xml.text("detail")]).toEqual([
      409,
      expect.stringContaining("Only one Export Domain"),
    ]);
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
    expect((await exported(site)).status).toBe(409); // it runs
    await lab.powerOff("web", { graceful: true });
    await lab.fault("export-failure", "once");
    await exported(site);
    await client.untilText(`/vms/${vm}`, "status", "down");
    expect((await client.get(`/storagedomains/${id}/vms`)).xml.children("vm")).toHaveLength(0);
    expect((await client.get("/events")).text).toContain("<code>1163</code>");
    await exported(site);
    await client.untilText(`/vms/${vm}`, "status", "down");
    await lab.fault("import-refused", "once");
    expect((await imported(site, id)).status).toBe(409);
    const [root] = diskIdsOf(site);
    const images = join(staging, id, "images", root);
    const meta = (await readdir(images)).find((name) => name.endsWith(".meta")) ?? "";
    const text = await readFile(join(images, meta), "utf8");
    await writeFile(join(images, meta), text.replace("LEGALITY=LEGAL", "LEGALITY=ILLEGAL"));
    expect((await imported(site, id)).xml.text("fault", "detail")).toContain("is illegal");

    const center = (await client.get("/datacenters")).xml.child("data_center")?.attribute("id");
    const place = `/datacenters/${center}/storagedomains/${id}`;
    expect((await client.get(place)).xml.text("status")).toBe("active");
    await client.post(`${place}/deactivate`);
    expect((await exported(site)).status).toBe(409);
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

async function withSite(
  options: Partial<LabOptions>,
  work: (site: Site) => Promise<void>,
  owner = VDSM,
): Promise<void> {
  const staging = await mkdtemp(join(tmpdir(), "ovault-lab-staging-"));
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

function isDown({ xml }: Awaited<ReturnType<LabFixture["client"]["get"]>>): boolean {
  return (xml.text("status", "state") ?? xml.text("status")) === "down";
}

function createDomain({ client, storage }: Site, name: string, path = "/staging") {
  const body = `<storage_domain><name>${name}</name><type>export</type><host><name>lab-host</name></host><storage>${storage}<path>${path}</path></storage></storage_domain>`;
  return client.post("/storagedomains", body);
}

async function attach({ client }: Site, id: string) {
  const center = (await client.get("/datacenters")).xml.child("data_center")?.attribute("id");
  return client.post(`/datacenters/${center}/storagedomains`, `<storage_domain id="${id}"/>`);
}

async function attachedDomain(site: Site): Promise<string> {
  const id = (await createDomain(site, "staging")).xml.attribute("id") ?? "";
  expect((await attach(site, id)).status).toBe(201);
  return id;
}

function exported(site: Site) {
  const body =
    "<action><storage_domain><name>staging</name></storage_domain><discard_snapshots>true</discard_snapshots></action>";
  return site.client.post(`/vms/${vmIdOf(site)}/export`, body);
}

function imported(site: Site, id: string) {
  const body =
    "<action><storage_domain><name>lab-storage</name></storage_domain><cluster><name>Default</name></cluster><clone>true</clone><vm><name>back</name></vm></action>";
  return site.client.post(`/storagedomains/${id}/vms/${vmIdOf(site)}/import`, body);
}
