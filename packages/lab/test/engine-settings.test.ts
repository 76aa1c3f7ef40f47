import * as fc from "fast-check";
import { expect, test } from "vitest";

import { readXml, type XmlNode } from "../src/engine/xml/read-xml.ts";
import { BLANK, newVm } from "./support/new-vm.ts";
import { vmIdOf } from "./support/backup-steps.ts";
import { withLab, type LabFixture } from "./support/lab-fixture.ts";

/** One change of every setting that an engine keeps, as elements of `<vm>`. */
const changes = [
  "<bios><boot_menu><enabled>true</enabled></boot_menu><type>q35_ovmf</type></bios>",
  "<comment>by night</comment>",
  "<console><enabled>true</enabled></console>",
  "<cpu><mode>host_passthrough</mode><topology><cores>2</cores><sockets>3</sockets><threads>2</threads></topology></cpu>",
  "<cpu_pinning_policy>dedicated</cpu_pinning_policy>",
  "<custom_compatibility_version><major>4</major><minor>4</minor></custom_compatibility_version>",
  "<custom_cpu_model>Skylake</custom_cpu_model>",
  "<custom_emulated_machine>pc-q35-rhel8.4.0</custom_emulated_machine>",
  "<custom_properties><custom_property><name>sap_agent</name><value>a=b</value></custom_property></custom_properties>",
  "<delete_protected>true</delete_protected>",
  "<description>web &amp; mail</description>",
  "<display><allow_override>false</allow_override><copy_paste_enabled>false</copy_paste_enabled><disconnect_action>LOGOUT</disconnect_action><disconnect_action_delay>3</disconnect_action_delay><file_transfer_enabled>false</file_transfer_enabled><keyboard_layout>de</keyboard_layout><monitors>2</monitors><smartcard_enabled>true</smartcard_enabled><type>spice</type></display>",
  "<high_availability><enabled>true</enabled><priority>50</priority></high_availability>",
  "<io><threads>4</threads></io>",
  "<memory>2147483648</memory>",
  "<memory_policy><ballooning>false</ballooning><guaranteed>1073741824</guaranteed><max>4294967296</max></memory_policy>",
  "<migration><auto_converge>true</auto_converge><compressed>false</compressed><encrypted>true</encrypted></migration>",
  "<migration_downtime>500</migration_downtime>",
  "<multi_queues_enabled>false</multi_queues_enabled>",
  "<os><boot><devices><device>cdrom</device><device>hd</device></devices></boot><cmdline>quiet</cmdline><initrd>/i</initrd><kernel>/k</kernel><type>rhel_8x64</type></os>",
  "<placement_policy><affinity>pinned</affinity></placement_policy>",
  "<serial_number><policy>custom</policy><value>S-1</value></serial_number>",
  "<soundcard_enabled>true</soundcard_enabled>",
  '<sso><methods><method id="none"/></methods></sso>',
  "<start_paused>true</start_paused>",
  "<stateless>true</stateless>",
  "<storage_error_resume_behaviour>kill</storage_error_resume_behaviour>",
  "<time_zone><name>Europe/Warsaw</name></time_zone>",
  "<tpm_enabled>true</tpm_enabled>",
  "<tunnel_migration>true</tunnel_migration>",
  "<type>desktop</type>",
  "<usb><enabled>true</enabled></usb>",
  "<virtio_scsi><enabled>false</enabled></virtio_scsi>",
] as const;
/** The engine's OVF has no place for these. */
const lostInOvf = ["<cpu_shares>1024</cpu_shares>", "<numa_tune_mode>strict</numa_tune_mode>"];

test("every setting that PUT makes is there at the next GET, and so it is of a machine that POST makes", async () => {
  await withLab({}, async (fixture) => {
    const path = `/vms/${vmIdOf(fixture)}`;
    for (const change of [...changes, ...lostInOvf]) {
      expect([change, (await fixture.client.call("PUT", path, `<vm>${change}</vm>`)).status]).toEqual([change, 200]);
      expectMade(await machine(fixture, path), change);
    }
    const all = [...changes, ...lostInOvf].join("");
    expectMade(await machine(fixture, path), ...changes, ...lostInOvf);
    const made = await newVm(fixture.client, "made", all);
    expect(made.status).toBeLessThan(300);
    expectMade(await machine(fixture, `/vms/${made.xml.attribute("id")}`), ...changes, ...lostInOvf);
  });
});

test("an OVF carries every setting it has a place for, and no other", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}`;
    await client.call("PUT", path, `<vm>${[...changes, ...lostInOvf].join("")}</vm>`);
    const ovf = (await machine(fixture, path)).text("initialization", "configuration", "data") ?? "";
    const answer = await newVm(
      client,
      "again",
      `<initialization><regenerate_ids>true</regenerate_ids><configuration><type>ovf</type><data>${escaped(ovf)}</data></configuration></initialization>`,
    );
    const again = await machine(fixture, `/vms/${answer.xml.attribute("id")}`);
    expectMade(again, ...changes);
    expect([again.text("cpu_shares"), again.text("numa_tune_mode")]).toEqual(["0", "interleave"]);
  });
});

test("a snapshot of a running machine is with its memory unless that is declined", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/snapshots`;
    for (const [element, shown] of [
      ["", "true"],
      ["<persist_memorystate>true</persist_memorystate>", "true"],
      ["<persist_memorystate>false</persist_memorystate>", "false"],
    ]) {
      const made = await client.post(path, `<snapshot><description>s</description>${element}</snapshot>`);
      const ok = await client.untilText(`${path}/${made.xml.attribute("id")}`, "snapshot_status", "ok");
      expect(ok.xml.text("persist_memorystate")).toBe(shown);
    }
  });
});

test("a machine can be sent back as it came", async () => {
  await withLab({}, async (fixture) => {
    const path = `/vms/${vmIdOf(fixture)}`;
    const before = await fixture.client.get(path);
    const answer = await fixture.client.call("PUT", path, before.text);
    expect([answer.status, answer.text]).toEqual([200, before.text]);
  });
});

test("what the lab does not keep of a machine is refused, and so are settings that contradict each other", async () => {
  await withLab({}, async (fixture) => {
    const path = `/vms/${vmIdOf(fixture)}`;
    const before = (await fixture.client.get(path)).text;
    for (const change of [
      "<payloads><payload><type>cdrom</type></payload></payloads>",
      "<description>new</description><no_such_setting>1</no_such_setting>",
      "<stateless>perhaps</stateless>",
      "<type>mainframe</type>",
      "<memory>2147483648</memory><memory_policy><guaranteed>4294967296</guaranteed></memory_policy>",
      "<memory>2147483648</memory><memory_policy><max>1073741824</max></memory_policy>",
      "<serial_number><policy>custom</policy></serial_number>",
    ]) {
      const answer = await fixture.client.call("PUT", path, `<vm>${change}</vm>`);
      expect([change, answer.status, answer.xml.name]).toEqual([change, 400, "fault"]);
    }
    expect((await fixture.client.get(path)).text).toBe(before);
  });
});

test("a machine that is protected from deletion stays until the protection is off", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const made = await newVm(client, "kept", "<delete_protected>true</delete_protected>");
    const path = `/vms/${made.xml.attribute("id")}`;
    const refused = await client.delete(path);
    expect([refused.status, refused.xml.text("detail")]).toEqual([
      409,
      "[Cannot remove VM. Delete protection is enabled. In order to delete, disable Delete protection first.]",
    ]);
    expect((await client.get(path)).status).toBe(200);
    await client.call("PUT", path, "<vm><delete_protected>false</delete_protected></vm>");
    expect((await client.delete(path)).status).toBe(200);
    await client.untilGone(path);
  });
});

test("machines have names that the engine allows, each once", async () => {
  await withLab({ vms: [] }, async ({ client }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
          fc.stringMatching(/^[\p{L}0-9._-]{1,20}$/u),
          fc.constantFrom("x".repeat(255), "x".repeat(256)),
        ),
        async (name) => {
          const allowed = /^[\p{L}0-9._-]{1,255}$/u.test(name);
          const answer = await newVm(client, name.replace(/[&<>\p{C}]/gu, " "), "");
          const asked = name.replace(/[&<>\p{C}]/gu, " ");
          expect([asked, answer.status < 300]).toEqual([asked, allowed && asked === name]);
          if (answer.status >= 300) return;
          const path = `/vms/${answer.xml.attribute("id")}`;
          expect((await newVm(client, name, "")).status).toBe(409);
          await client.delete(path);
          await client.untilGone(path);
        },
      ),
      { numRuns: 25 },
    );
    await newVm(client, "one", "");
    const two = await newVm(client, "two", "");
    const renamed = await client.call("PUT", `/vms/${two.xml.attribute("id")}`, "<vm><name>one</name></vm>");
    expect([renamed.status, renamed.xml.text("detail")]).toEqual([
      409,
      "[Cannot edit VM. The VM name is already in use, please choose a unique name and try again.]",
    ]);
  });
});

test("a cluster or a template that does not exist is refused, by name and by id", async () => {
  await withLab({ vms: [] }, async ({ client }) => {
    for (const [cluster, template] of [
      ["<cluster><name>elsewhere</name></cluster>", `<template id="${BLANK}"/>`],
      [`<cluster id="${BLANK}"/>`, `<template id="${BLANK}"/>`],
      ["<cluster><name>Default</name></cluster>", "<template><name>elsewhere</name></template>"],
    ]) {
      const answer = await client.post("/vms", `<vm><name>new</name>${cluster}${template}</vm>`);
      expect([answer.status, answer.xml.text("detail")]).toEqual([404, expect.stringContaining("Entity not found: ")]);
    }
    const without = await client.post("/vms", "<vm><name>new</name></vm>");
    expect([without.status, without.xml.text("detail")]).toEqual([400, "Vm [cluster.id|name] required for add"]);
    expect((await client.get("/vms")).xml.children("vm")).toEqual([]);
  });
});

test("NUMA nodes of a machine are made, changed and removed", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/numanodes`;
    const cpu = "<cpu><cores><core><index>0</index></core><core><index>1</index></core></cores></cpu>";
    const node = (index: number): string =>
      `<vm_numa_node>${cpu}<index>${index}</index><memory>512</memory></vm_numa_node>`;
    const made = await client.post(path, node(0));
    expect([made.status, (await client.post(path, node(0))).status, (await client.post(path, node(1))).status]).toEqual(
      [201, 409, 201],
    );
    const own = `${path}/${made.xml.attribute("id")}`;
    await client.call("PUT", own, "<vm_numa_node><memory>256</memory></vm_numa_node>");
    const shown = (await client.get(own)).xml;
    expect(shown.children("cpu", "cores", "core").map((core) => core.text("index"))).toEqual(["0", "1"]);
    expect([shown.text("index"), shown.text("memory"), shown.text("numa_tune_mode")]).toEqual([
      "0",
      "256",
      "interleave",
    ]);
    expect((await client.post(path, "<vm_numa_node><index>2</index></vm_numa_node>")).status).toBe(400);
    expect((await client.delete(own)).status).toBe(200);
    expect((await client.get(path)).xml.children("vm_numa_node").map((one) => one.text("index"))).toEqual(["1"]);
  });
});

test("a running machine shows where its console would be, one that is down only what it is like", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}`;
    const display = async () => (await client.get(path)).xml.child("display");
    expect((await display())?.text("address")).toBe("127.0.0.1");
    expect((await display())?.integer("port")).toBeGreaterThan(0);
    await lab.powerOff("web", { graceful: true });
    expect([(await display())?.text("address"), (await display())?.text("type")]).toEqual([undefined, "vnc"]);
  });
});

async function machine({ client }: LabFixture, path: string): Promise<XmlNode> {
  return (await client.get(`${path}?all_content=true`)).xml;
}

/** Every leaf of the elements stands in the machine, with the same text and attributes. */
function expectMade(vm: XmlNode, ...elements: readonly string[]): void {
  const wanted = readXml(`<vm>${elements.join("")}</vm>`);
  for (const path of wanted.leafPaths()) {
    const leaves = (node: XmlNode): unknown =>
      node.children(...path.split(".")).map((leaf) => [path, leaf.text(), leaf.attribute("id")]);
    expect(leaves(vm)).toEqual(leaves(wanted));
  }
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
