import { UsageError } from "@ovault/contract";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { EngineAnswerError } from "../src/engine/errors.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import { parseOvf, readOvf } from "../src/ovf/read-ovf.ts";
import { rewriteOvf } from "../src/ovf/rewrite-ovf.ts";

const DISK_1 = "11111111-1111-4111-8111-111111111111";
const DISK_2 = "22222222-2222-4222-8222-222222222222";
const NEW_DISK = "99999999-9999-4999-8999-999999999999";
const [V1, V1_OLD, V2] = ["aaaa", "bbbb", "cccc"].map((start) => `${start}0000-0000-4000-8000-000000000000`);

/** A machine with a disk of two volumes (one snapshot), a second disk, and two network cards. */
const ovf = `<?xml version="1.0" encoding="UTF-8"?><ovf:Envelope xmlns:ovf="o" xmlns:rasd="r" xmlns:xsi="x">
<References>
 <File ovf:href="${DISK_1}/${V1_OLD}" ovf:id="${V1_OLD}"></File>
 <File ovf:href="${DISK_1}/${V1}" ovf:id="${V1}"></File>
 <File ovf:href="${DISK_2}/${V2}" ovf:id="${V2}"/>
</References>
<Section xsi:type="ovf:DiskSection_Type"><Info>List</Info>
 <Disk ovf:diskId="${V1_OLD}" ovf:parentRef="" ovf:fileRef="${DISK_1}/${V1_OLD}" ovf:disk-alias="one" ovf:boot="true"/>
 <Disk ovf:diskId="${V1}" ovf:parentRef="${DISK_1}/${V1_OLD}" ovf:fileRef="${DISK_1}/${V1}" ovf:disk-interface="VirtIO_SCSI"
   ovf:disk-alias="one" ovf:boot="true"></Disk>
 <Disk ovf:diskId="${V2}" ovf:parentRef="" ovf:fileRef="${DISK_2}/${V2}" ovf:disk-interface="VirtIO" ovf:boot="false"/>
</Section>
<Content ovf:id="out"><Name>old &amp; name</Name><Description>&lt;keep&gt; — ä</Description>
<Section xsi:type="ovf:VirtualHardwareSection_Type">
 <Item><rasd:ResourceType>3</rasd:ResourceType></Item>
 <Item><rasd:ResourceType>17</rasd:ResourceType><rasd:HostResource>${DISK_1}/${V1}</rasd:HostResource><Alias>ua-${DISK_1}</Alias></Item>
 <Item><rasd:ResourceType>17</rasd:ResourceType><rasd:HostResource>${DISK_2}/${V2}</rasd:HostResource></Item>
 <Item><rasd:ResourceType>10</rasd:ResourceType><rasd:Name>nic1</rasd:Name><rasd:MACAddress>00:00:00:00:00:01</rasd:MACAddress></Item>
 <Item><rasd:ResourceType>10</rasd:ResourceType><rasd:Name>nic2</rasd:Name><rasd:Linked>false</rasd:Linked></Item>
</Section>
<Section xsi:type="ovf:SnapshotsSection_Type">
 <Snapshot ovf:id="s1"><Type>REGULAR</Type></Snapshot><Snapshot ovf:id="s2"><Type>ACTIVE</Type></Snapshot>
</Section></Content></ovf:Envelope>`;

const none: ReadonlyMap<string, string> = new Map();

function tag(digit: string): string {
  return `ovault run ${digit.repeat(8)}-0000-4000-8000-000000000000`;
}

describe("reading", () => {
  test("a disk with snapshots is one disk, with its active volume", () => {
    expect(readOvf(ovf).disks).toEqual([
      { diskId: DISK_1, volumeId: V1, alias: "one", bootable: true, interface: "virtio_scsi" },
      { diskId: DISK_2, volumeId: V2, alias: undefined, bootable: false, interface: "virtio" },
    ]);
  });

  test("booleans are read as an engine reads them: true in any case, and anything else is false", () => {
    const odd = ovf
      .replaceAll('ovf:boot="true"', 'ovf:boot="True"')
      .replace("<rasd:Linked>false</rasd:Linked>", "<rasd:Linked>FALSE</rasd:Linked><IsPlugged>perhaps</IsPlugged>");
    expect(readOvf(odd).disks.map(({ bootable }) => bootable)).toEqual([true, false]);
    expect(readOvf(odd).nics[1]).toMatchObject({ linked: false, plugged: false });
  });

  test("names and network cards are read", () => {
    const { name, nics } = readOvf(ovf);
    expect(name).toBe("old & name");
    expect(nics.map((nic) => [nic.name, nic.mac, nic.linked])).toEqual([
      ["nic1", "00:00:00:00:00:01", true],
      ["nic2", undefined, false],
    ]);
  });

  test.each(["<vm/>", "<ovf:Envelope/>", "<ovf:Envelope><Content/></ovf:Envelope>", "no xml", ""])(
    "%j is no OVF of an engine",
    (text) => {
      expect(() => readOvf(text)).toThrow(EngineAnswerError);
      expect(() => rewriteOvf(text, { name: "n", disks: none, mac: "keep" })).toThrow(EngineAnswerError);
    },
  );
});

describe("rewriting", () => {
  test("the tag of the run joins the description, in place of an older one, within the engine's limit", () => {
    const once = rewriteOvf(ovf, { name: "n", disks: none, mac: "keep", tag: tag("1") });
    expect(parseOvf(once).description?.text).toBe(`<keep> — ä (${tag("1")})`);
    const twice = rewriteOvf(once, { name: "n", disks: none, mac: "keep", tag: tag("2") });
    expect(parseOvf(twice).description?.text).toBe(`<keep> — ä (${tag("2")})`);
    const bare = ovf.replace(/<Description>.*<\/Description>/, "");
    const added = rewriteOvf(bare, { name: "n", disks: none, mac: "keep", tag: tag("3") });
    expect(parseOvf(added).description?.text).toBe(tag("3"));
    const long = ovf.replace("&lt;keep&gt;", "x".repeat(300));
    const cut = rewriteOvf(long, { name: "n", disks: none, mac: "keep", tag: tag("4") });
    expect(parseOvf(cut).description?.text).toHaveLength(255);
  });

  test("whatever the new name is, it is the name, and nothing else has changed", () => {
    const kept = new Map([
      [DISK_1, DISK_1],
      [DISK_2, DISK_2],
    ]);
    const before = rewriteOvf(ovf, { name: "NAME", disks: kept, mac: "keep" });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        const after = rewriteOvf(ovf, { name, disks: kept, mac: "keep" });
        expect(parseXml(after).child("Content", "Name")?.text).toBe(name);
        expect(after.replace(/<Name>.*?<\/Name>/s, "<Name>NAME</Name>")).toBe(before);
      }),
      { examples: [["</Name><Origin>9</Origin><Name>"], ["]]>"], ["$& $1 &amp;"], ["<!--"]] },
    );
  });

  const unwritable = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;
  /** Every place of an OVF that people or guests write to, in each way of writing it. */
  const places = ["Comment", "TimeZone", "UserDefinedProperties", "app_list"];
  const odd = fc.array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\u001b[31m",
        "\0",
        "\u000b",
        "\ufffe",
        "\ud800",
        "\udfff",
        "\u{1f600}",
        "]]>",
        "<!--",
        "&#27;",
        "\r\n",
        "$&",
      ),
    ),
    { maxLength: 4 },
  );
  const anyText = odd.map((parts) => parts.join(""));
  const writings: readonly ((text: string) => string)[] = [
    (text) => [...text].map((character) => `&#x${character.codePointAt(0)?.toString(16)};`).join(""),
    (text) => [...text].map((character) => `&#${character.codePointAt(0)};`).join(""),
    (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
    (text) => `<![CDATA[${text.replaceAll("]]>", "]]]]><![CDATA[>")}]]>`,
  ];
  const CDATA = 3;
  const write = ([text, way]: readonly [string, number], ways = writings.length): string =>
    writings[way % ways]?.(text) ?? "";
  /** What a parser makes of the line ends in the ways without references. */
  const asRead = ([text, way]: readonly [string, number]): string =>
    (way < 2 ? text : text.replaceAll(/\r\n?/g, "\n")).replaceAll(unwritable, "");

  test("whatever text stands in an OVF is carried but for what XML cannot hold, and is never the end of it", () => {
    const texts = fc.array(fc.tuple(anyText, fc.nat(CDATA)), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(texts, anyText, (written, description) => {
        const [alias = ["", 0], ...rest] = written;
        const elements = places.map((name, index) => `<${name}>${write(rest[index] ?? ["", 0])}</${name}>`);
        const document = ovf
          .replace(
            /<Description>.*<\/Description>/,
            () => `<Description>${write([description, 0])}</Description>${elements.join("")}`,
          )
          .replaceAll('ovf:disk-alias="one"', () => `ovf:disk-alias="${write(alias, CDATA)}"`);
        const after = rewriteOvf(document, {
          name: "n",
          disks: new Map([[DISK_1, NEW_DISK]]),
          mac: "drop",
          tag: tag("1"),
        });
        const content = parseXml(after).child("Content");
        expect(after).not.toMatch(unwritable);
        expect(places.map((name) => content?.child(name)?.text)).toEqual(
          places.map((_, index) => asRead(rest[index] ?? ["", 0])),
        );
        const disk = parseOvf(after).volumes[0];
        expect(disk?.attributes.get("ovf:disk-alias")).toBe(asRead([alias[0], alias[1] % CDATA]));
        for (const id of [DISK_1, DISK_2]) expect(after).not.toContain(id);
        expect(after).not.toContain("MACAddress");
        expect(content?.child("Description")?.text).toContain(tag("1"));
        expect(content?.child("Description")?.text.length).toBeLessThanOrEqual(255);
      }),
      { numRuns: 300 },
    );
  });

  test("a description is never cut in the middle of a character", () => {
    for (const length of [200, 201, 202, 203]) {
      const long = ovf.replace(
        /<Description>.*<\/Description>/,
        `<Description>${"x".repeat(length)}${"\u{1f600}".repeat(40)}</Description>`,
      );
      const text = rewriteOvf(long, { name: "n", disks: none, mac: "keep", tag: tag("1") });
      expect(parseOvf(text).description?.text.isWellFormed()).toBe(true);
    }
  });

  test("a name that XML cannot hold is refused", () => {
    expect(() => rewriteOvf(ovf, { name: "a\0", disks: none, mac: "keep" })).toThrow(UsageError);
  });

  test("without disks, no trace of one is left", () => {
    const text = rewriteOvf(ovf, { name: "n", disks: none, mac: "keep" });
    for (const id of [DISK_1, DISK_2, V1, V1_OLD, V2]) expect(text).not.toContain(id);
    expect(readOvf(text).nics).toEqual(readOvf(ovf).nics);
    expect(text).toContain("<Description>&lt;keep&gt; — ä</Description>");
  });

  test("a disk that stays has the new id wherever the old one stood, and its active volume only", () => {
    const text = rewriteOvf(ovf, { name: "n", disks: new Map([[DISK_1, NEW_DISK]]), mac: "keep" });
    expect(readOvf(text).disks).toMatchObject([{ diskId: NEW_DISK, volumeId: V1, alias: "one" }]);
    expect(text).toContain(`<Alias>ua-${NEW_DISK}</Alias>`);
    for (const id of [DISK_1, DISK_2, V1_OLD]) expect(text).not.toContain(id);
  });

  test("snapshots are gone but for the active one", () => {
    const text = rewriteOvf(ovf, { name: "n", disks: none, mac: "keep" });
    expect(
      parseXml(text)
        .descendants("Snapshot")
        .map((snapshot) => snapshot.value("ovf:id")),
    ).toEqual(["s2"]);
  });

  test("MAC addresses are dropped when asked for", () => {
    const text = rewriteOvf(ovf, { name: "n", disks: none, mac: "drop" });
    expect(readOvf(text).nics.map((nic) => nic.mac)).toEqual([undefined, undefined]);
  });

  test("an invalid id cannot be exchanged for another", () => {
    const hostile = ovf.replaceAll(DISK_1, "e");
    expect(() => rewriteOvf(hostile, { name: "n", disks: new Map([["e", NEW_DISK]]), mac: "keep" })).toThrow(
      UsageError,
    );
    const inject = new Map([[DISK_1, '"/><x y="']]);
    expect(() => rewriteOvf(ovf, { name: "n", disks: inject, mac: "keep" })).toThrow(UsageError);
  });

  test("a document with elements where they do not belong stays well-formed", () => {
    const nested = ovf.replace(
      "<rasd:ResourceType>3</rasd:ResourceType>",
      `<Item><rasd:ResourceType>17</rasd:ResourceType><Item><rasd:ResourceType>10</rasd:ResourceType>
        <rasd:MACAddress>1</rasd:MACAddress></Item></Item><rasd:ResourceType>17</rasd:ResourceType>`,
    );
    const text = rewriteOvf(nested, { name: "n", disks: none, mac: "drop" });
    expect(readOvf(text).disks).toEqual([]);
  });
});
