import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseXml } from "../src/engine/parse-xml.ts";
import { differingSettings, settingsOf } from "../src/model/vm-settings.ts";

const vm = (content: string): string => `<vm href="/vms/1" id="1">${content}</vm>`;

function escaped(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function boot(...devices: readonly string[]): string {
  const list = devices.map((one) => `<device>${one}</device>`).join("");
  return `<os><type>other</type><boot><devices>${list}</devices></boot></os>`;
}

function differences(before: string, after: string): readonly string[] {
  const found = differingSettings(parseXml(vm(before)), parseXml(vm(after)));
  return found.map(({ title, was, is }) => `${title}: ${was} → ${is}`);
}

const RUNNING = vm(`
  <link href="/x" rel="nics"/><name>web</name><status>up</status><description>d</description><delete_protected>true</delete_protected>
  <cpu><architecture>x86_64</architecture><topology><cores>2</cores><sockets>1</sockets></topology></cpu>
  <display><address>10.0.0.1</address><port>5900</port><type>vnc</type><monitors>1</monitors></display>
  <os><boot><devices><device>network</device><device>hd</device></devices></boot><type>other</type></os>
  <cpu_profile href="/p" id="p-1"/><comment>a &amp; b</comment><serial_number/>`);

test("what is kept is what a person can set, as an update takes it", () => {
  expect(settingsOf(parseXml(RUNNING))).toBe(
    "<vm><cpu><topology><cores>2</cores><sockets>1</sockets></topology></cpu>" +
      "<display><type>vnc</type><monitors>1</monitors></display>" +
      "<os><boot><devices><device>network</device><device>hd</device></devices></boot><type>other</type></os>" +
      '<cpu_profile id="p-1"/><comment>a &amp; b</comment><serial_number/></vm>',
  );
});

test("what a machine was started with once is not what it is set to", () => {
  const once = RUNNING.replace("<status>", "<run_once>true</run_once><status>");
  expect(settingsOf(parseXml(once))).toContain("<display><monitors>1</monitors></display><os><type>other</type></os>");
});

test("what a display shows only while the machine runs is not compared, whichever of the two runs", () => {
  const running =
    "<display><address>10.0.0.1</address><certificate><subject>CN=h</subject></certificate><port>5900</port>" +
    "<proxy>http://p</proxy><secure_port>5901</secure_port><single_qxl_pci>false</single_qxl_pci></display>";
  expect(differences(running, "")).toEqual([]);
  expect(differences("<display/>", running)).toEqual([]);
});

test("differences are found by value and order, and told with the values alone that differ", () => {
  expect(differences(boot("hd", "network"), boot("network", "hd"))).toEqual([
    "operating system and boot order: boot devices device hd network → boot devices device network hd",
  ]);
  expect(differences("<memory>1</memory>", "")).toEqual(["memory: 1 → not set"]);
  expect(differences('<quota id="a"/>', '<quota id="b"/>')).toEqual(["quota: a → b"]);
  expect(differences("<comment/>", "<comment>theirs</comment>")).toEqual([]);
  expect(differences("<name>a</name><status>up</status>", "<name>b</name>")).toEqual([]);
});

test("what was kept never differs from the machine it was kept of, whatever stands in it", () => {
  const text = fc.string({ unit: "grapheme" }).map((value) => value.replaceAll(/[\s\p{C}]/gu, ""));
  fc.assert(
    fc.property(text, text, (comment, kernel) => {
      const now = parseXml(vm(`<comment>${escaped(comment)}</comment><os><kernel>${escaped(kernel)}</kernel></os>`));
      expect(differingSettings(parseXml(settingsOf(now)), now)).toEqual([]);
    }),
  );
});
