import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { UsageError } from "@ovault/contract";

import { EngineApi } from "../src/api/engine-api.ts";
import { EngineConflictError, EntityNotFoundError } from "../src/engine/errors.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import type { Reply } from "./support/engine-server.ts";
import { startEngine, type StartedEngine } from "./support/start-engine.ts";

let engine: StartedEngine;
let server: StartedEngine["server"];
let client: StartedEngine["client"];
let api: EngineApi;
const signal = new AbortController().signal;

beforeAll(async () => {
  engine = await startEngine();
  ({ server, client } = engine);
  api = new EngineApi(client);
});
beforeEach(() => {
  server.calls.length = 0;
});
afterAll(() => engine.stop());

const answer = (reply: Reply): void => {
  server.reply = () => reply;
};
/** `METHOD PATH BODY` of all calls since the test began. */
const wire = (): string[] => server.calls.map(({ method, path, body }) => `${method} ${path} ${body}`.trim());

describe("guests", () => {
  const done = { body: "<action><status>complete</status></action>" };

  test("are frozen and thawed by an action each", async () => {
    answer(done);
    await api.vms.freezeFilesystems("v", signal);
    await api.vms.thawFilesystems("v", signal);
    expect(wire()).toEqual(["POST /vms/v/freezefilesystems <action/>", "POST /vms/v/thawfilesystems <action/>"]);
  });

  test("that do not run are a conflict at once", async () => {
    server.reply = (_, index) => (index === 0 ? { status: 409 } : done);
    await expect(api.vms.freezeFilesystems("v", signal)).rejects.toMatchObject({ code: "E_ENGINE_CONFLICT" });
    expect(wire()).toHaveLength(1);
  });
});

describe("storage domains", () => {
  const nfs = { name: "ir", hostId: "h", address: "a", path: "/p", mountOptions: "port=1", nfsVersion: "v3" } as const;

  test("for data are made on NFS in a format, and are forgotten without a host", async () => {
    answer({ body: '<storage_domain id="s"><name>ir</name><storage_format>v5</storage_format></storage_domain>' });
    const made = await api.storageDomains.create({ ...nfs, type: "data", storageFormat: "v5" }, signal);
    expect(made).toMatchObject({ id: "s", storageFormat: "v5" });
    await api.storageDomains.forget("s", signal);
    expect(wire()).toEqual([
      "POST /storagedomains <storage_domain><name>ir</name><storage_format>v5</storage_format><type>data</type><storage>" +
        "<address>a</address><mount_options>port=1</mount_options><nfs_version>v3</nfs_version><path>/p</path>" +
        '<type>nfs</type></storage><host id="h"/></storage_domain>',
      "DELETE /storagedomains/s?destroy=true",
    ]);
    answer({ status: 404 });
    await api.storageDomains.forget("s", signal);
    expect(await api.storageDomains.disks("s", signal)).toEqual([]);
  });

  test("show the disks that others put there, and take them over", async () => {
    server.reply = ({ method }) => ({
      body: method === "GET" ? '<disks><disk id="d"><alias>x</alias></disk></disks>' : '<disk id="d"/>',
    });
    expect((await api.storageDomains.unregisteredDisks("s", signal)).map(({ alias }) => alias)).toEqual(["x"]);
    expect((await api.storageDomains.registerDisk("s", "d", signal)).id).toBe("d");
    expect(wire()).toEqual([
      "GET /storagedomains/s/disks?unregistered=true",
      'POST /storagedomains/s/disks?unregistered=true <disk id="d"/>',
    ]);
  });

  test("leave connections, which are listed and removed", async () => {
    const connection = '<storage_connection id="c"><type>nfs</type><address>a</address><path>/p</path>';
    answer({ body: `<storage_connections>${connection}</storage_connection></storage_connections>` });
    const [left] = await api.storageDomains.connections(signal);
    expect(left).toEqual({ id: "c", type: "nfs", address: "a", path: "/p" });
    answer({ status: 404 });
    expect(await api.storageDomains.connections(signal)).toEqual([]);
    await api.storageDomains.removeConnection("c", signal);
    expect(wire().at(-1)).toBe("DELETE /storageconnections/c");
  });

  test("take disks of others, by an action of the disk", async () => {
    answer({ body: "<action><status>complete</status></action>" });
    await api.disks.move("d", "s", signal);
    await api.vms.shutdown("v", signal);
    expect(wire()).toEqual([
      'POST /disks/d/move <action><storage_domain id="s"/></action>',
      "POST /vms/v/shutdown <action/>",
    ]);
  });
});

describe("backups", () => {
  test("a start says disks, checkpoint, description, and our own id", async () => {
    answer({ body: '<backup id="b"><phase>initializing</phase><creation_date>2026-01-01</creation_date></backup>' });
    const backup = await api.backups.start(
      "v",
      { diskIds: ["d1", "d2"], id: "b", fromCheckpointId: "c", description: "a & b", requireConsistency: true },
      signal,
    );
    expect(backup).toMatchObject({ id: "b", phase: "initializing", toCheckpointId: undefined });
    expect(wire()).toEqual([
      'POST /vms/v/backups?require_consistency=true&legacy=true&use_active=true <backup id="b"><description>a &amp; b</description>' +
        '<disks><disk id="d1"/><disk id="d2"/></disks><from_checkpoint_id>c</from_checkpoint_id></backup>',
    ]);
  });

  test("a full one of an older engine says no more than it must", async () => {
    answer({ body: '<backup id="b"/>' });
    await api.backups.start("v", { diskIds: ["d"] }, signal);
    expect(wire()).toEqual(['POST /vms/v/backups <backup><disks><disk id="d"/></disks></backup>']);
  });

  test("a phase that is absent stays absent, and an ended backup may be gone", async () => {
    answer({ body: '<backup id="b"><to_checkpoint_id>c2</to_checkpoint_id></backup>' });
    expect(await api.backups.get("v", "b", signal)).toMatchObject({ phase: undefined, toCheckpointId: "c2" });
    answer({ status: 404 });
    expect(await api.backups.find("v", "b", signal)).toBeUndefined();
    await expect(api.backups.get("v", "b", signal)).rejects.toThrow(EntityNotFoundError);
  });

  test("each disk reports its actual backup mode", async () => {
    answer({ body: '<disks><disk id="1"><backup_mode>incremental</backup_mode></disk><disk id="2"/></disks>' });
    const modes = (await api.backups.disks("v", "b", signal)).map((disk) => disk.backupMode);
    expect(modes).toEqual(["incremental", undefined]);
  });

  test("finalizing waits out the transfers that still hold it", async () => {
    server.reply = (_, index) => (index < 2 ? { status: 409 } : { body: "<action><status>complete</status></action>" });
    await api.backups.finalize("v", "b", signal);
    expect(wire()).toEqual(Array(3).fill("POST /vms/v/backups/b/finalize <action/>"));
  });
});

describe("transfers", () => {
  test("a transfer of a backup's disk", async () => {
    answer({ body: '<image_transfer id="t"><phase>initializing</phase></image_transfer>' });
    await api.transfers.create(
      {
        subject: { diskId: "d" },
        direction: "download",
        format: "raw",
        backupId: "b",
        inactivityTimeoutSeconds: 300,
        timeoutPolicy: "cancel",
      },
      signal,
    );
    expect(wire()).toEqual([
      'POST /imagetransfers <image_transfer><backup id="b"/><direction>download</direction><disk id="d"/>' +
        "<format>raw</format><inactivity_timeout>300</inactivity_timeout><timeout_policy>cancel</timeout_policy></image_transfer>",
    ]);
  });

  test("its address appears with its ticket", async () => {
    answer({
      body:
        '<image_transfer id="t"><phase>transferring</phase><transferred>5</transferred><host id="h"/>' +
        "<transfer_url>https://h:54322/images/x</transfer_url><proxy_url>https://e:54323/images/x</proxy_url></image_transfer>",
    });
    expect(await api.transfers.get("t", signal)).toMatchObject({
      phase: "transferring",
      transferUrl: "https://h:54322/images/x",
      proxyUrl: "https://e:54323/images/x",
      hostId: "h",
      transferredBytes: 5,
    });
  });

  test.each(["extend", "pause", "resume", "cancel", "finalize"] as const)("%s is an action", async (name) => {
    answer({ body: "<action/>" });
    await api.transfers[name]("t", signal);
    expect(wire()).toEqual([`POST /imagetransfers/t/${name} <action/>`]);
  });
});

describe("disks and machines", () => {
  test("a new disk", async () => {
    answer({ body: '<disk id="d"><status>locked</status></disk>' });
    await api.disks.create(
      {
        id: "d",
        name: "n",
        provisionedBytes: 512,
        format: "cow",
        sparse: true,
        incremental: true,
        storageDomainId: "s",
      },
      signal,
    );
    expect(wire()).toEqual([
      'POST /disks <disk id="d"><backup>incremental</backup><content_type>data</content_type><format>cow</format>' +
        "<name>n</name><provisioned_size>512</provisioned_size><sparse>true</sparse>" +
        '<storage_domains><storage_domain id="s"/></storage_domains></disk>',
    ]);
  });

  test("a machine from an OVF carries it escaped, and a name in use is an error at once", async () => {
    const vm = { name: "n", clusterId: "c", ovf: "<a>&amp;</a>", regenerateIds: true };
    answer({ body: '<vm id="v"><name>n</name></vm>' });
    await api.vms.createFromOvf(vm, signal);
    const sent = parseXml(server.calls[0]?.body ?? "");
    expect(sent.child("initialization", "configuration", "data")?.text).toBe(vm.ovf);
    expect(sent.bool("initialization", "regenerate_ids")).toBe(true);
    answer({ status: 409 });
    const refused: unknown = await api.vms.createFromOvf(vm, signal).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(EngineConflictError);
    expect(refused).toHaveProperty("hint", expect.stringContaining("choose another one"));
  });

  test("attaching says `active`, whose default is the wrong one", async () => {
    answer({ body: '<disk_attachment id="d"><disk id="d"/></disk_attachment>' });
    await api.vms.attachDisk("v", { diskId: "d", interface: "virtio_scsi", bootable: true, active: true }, signal);
    expect(wire()).toEqual([
      "POST /vms/v/diskattachments <disk_attachment><active>true</active><bootable>true</bootable>" +
        '<interface>virtio_scsi</interface><disk id="d"/></disk_attachment>',
    ]);
  });

  test("detaching and deleting keep what should be kept, and are content when it is gone", async () => {
    answer({ status: 404 });
    await api.vms.detachDisk("v", "d", signal);
    await api.vms.delete("v", { keepDisks: true }, signal);
    await api.vms.delete("v", { keepDisks: false }, signal);
    await api.disks.delete("d", signal);
    await api.checkpoints.delete("v", "c", signal);
    await api.snapshots.delete("v", "s", signal);
    expect(wire()).toEqual([
      "DELETE /vms/v/diskattachments/d?detach_only=true",
      "DELETE /vms/v?detach_only=true",
      "DELETE /vms/v",
      "DELETE /disks/d",
      "DELETE /vms/v/checkpoints/c",
      "DELETE /vms/v/snapshots/s",
    ]);
  });

  test("a machine is found by exactly its name", async () => {
    answer({ body: '<vms><vm id="1"><name>WEB</name></vm><vm id="2"><name>web</name></vm></vms>' });
    expect((await api.vms.byName("web", signal))?.id).toBe("2");
    expect(await api.vms.byName("we", signal)).toBeUndefined();
  });

  test("a network card changes in what is named alone", async () => {
    answer({ body: '<nic id="n"/>' });
    await api.vms.updateNic("v", "n", { vnicProfileId: "p", mac: "00:11:22:33:44:55" }, signal);
    await api.vms.updateNic("v", "n", { vnicProfileId: "" }, signal);
    expect(wire()).toEqual([
      'PUT /vms/v/nics/n <nic><mac><address>00:11:22:33:44:55</address></mac><vnic_profile id="p"/></nic>',
      "PUT /vms/v/nics/n <nic><vnic_profile/></nic>",
    ]);
  });

  test("a snapshot never takes memory", async () => {
    answer({ body: '<snapshot id="s"><snapshot_status>locked</snapshot_status></snapshot>' });
    await api.snapshots.create("v", { description: "x", diskIds: ["d"] }, signal);
    expect(wire()).toEqual([
      "POST /vms/v/snapshots <snapshot><description>x</description><disk_attachments><disk_attachment>" +
        '<disk id="d"/></disk_attachment></disk_attachments><persist_memorystate>false</persist_memorystate></snapshot>',
    ]);
  });

  test("an id cannot lead to another place", async () => {
    answer({ body: '<disk id="d"/>' });
    await api.disks.get("../vms/1?x", signal);
    expect(wire()).toEqual(["GET /disks/..%2Fvms%2F1%3Fx"]);
    await expect(api.disks.delete("", signal)).rejects.toThrow(UsageError);
    await expect(api.disks.get("..", signal)).rejects.toThrow(UsageError);
  });

  test("events are searched and limited", async () => {
    answer({
      body: '<events><event id="9"><code>10791</code><severity>error</severity><vm id="v"/></event></events>',
    });
    const [event] = await api.events.list({ search: "b", max: 5 }, signal);
    expect(event).toMatchObject({ id: "9", code: 10_791, vmId: "v" });
    expect(wire()).toEqual(["GET /events?search=b&max=5"]);
  });
});

test("waiting goes at the pace of the connection", async () => {
  server.reply = (_, index) => ({ body: `<disk id="d"><status>${index < 3 ? "locked" : "ok"}</status></disk>` });
  const disk = await api.wait(
    "disk d to unlock",
    async () => {
      const found = await api.disks.get("d", signal);
      return found.status === "ok" ? { done: true, value: found } : { done: false, state: String(found.status) };
    },
    { deadlineMs: 60_000, signal },
  );
  expect(disk.status).toBe("ok");
  expect(server.calls).toHaveLength(4);
});
