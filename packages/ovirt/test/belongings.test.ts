import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { EngineApi } from "../src/api/engine-api.ts";
import { readBelongings, type Belongings } from "../src/machine/belongings.ts";
import { unknownProperties } from "../src/restore/design/unknown-properties.ts";
import { giveBack } from "../src/restore/vm/give-back.ts";
import { parseVm } from "../src/model/vm.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import { startEngine, type StartedEngine } from "./support/start-engine.ts";

const signal = new AbortController().signal;
let engine: StartedEngine;
let server: StartedEngine["server"];
let client: StartedEngine["client"];

beforeAll(async () => {
  engine = await startEngine();
  ({ server, client } = engine);
});
beforeEach(() => {
  server.calls.length = 0;
});
afterAll(() => engine.stop());

/** Another engine: the same names under other ids, and without what is called `lost`. */
const ENGINE: Readonly<Record<string, string>> = {
  "/vms/v/tags": '<tags><tag id="t1"><name>gold</name></tag></tags>',
  "/tags": '<tags><tag id="t1"><name>gold</name></tag><tag id="t2"><name>nightly</name></tag></tags>',
  "/vms/v/permissions":
    '<permissions><permission id="p"><role id="r-own"/><user id="u-anna"/></permission></permissions>',
  "/roles":
    '<roles><role id="r-own"><name>UserVmManager</name></role><role id="r-use"><name>UserRole</name></role></roles>',
  "/users": '<users><user id="u-anna"><user_name>anna@corp</user_name></user></users>',
  "/groups": '<groups><group id="g-ops"><name>ops</name></group></groups>',
  "/affinitylabels": '<affinity_labels><affinity_label id="l-1"><name>ssd</name></affinity_label></affinity_labels>',
  "/clusters/c/affinitygroups":
    '<affinity_groups><affinity_group id="a-1"><name>apart</name><vms><vm id="w"/></vms></affinity_group></affinity_groups>',
};
const REFUSED = { status: 400, body: "<fault><detail>[no]</detail></fault>" };

function serve(refused?: RegExp): void {
  server.reply = ({ method, path }) => {
    const place = path.replace(/\?.*/, "");
    if (method !== "GET") return refused?.test(place) === true ? REFUSED : { body: "<action/>" };
    const body = ENGINE[place];
    return body === undefined ? { status: 404 } : { body };
  };
}

const named = (name: string) => ({ id: `old-${name}`, name });
const belongings: Belongings = {
  permissions: [
    { role: named("UserVmManager"), user: named("anna@corp") },
    { role: named("UserRole"), user: named("anna@corp") },
    { role: named("UserRole"), group: named("ops") },
    { role: named("UserRole"), user: named("lost@corp") },
    { role: named("LostRole"), user: named("anna@corp") },
  ],
  affinityLabels: [named("ssd"), named("lost")],
  affinityGroups: [named("apart"), named("lost")],
};
const request = { vmId: "v", clusterId: "c", tags: ["gold", "nightly", "weekly"], belongings };

function changes(): readonly string[] {
  return server.calls.filter(({ method }) => method !== "GET").map(({ path, body }) => `${path} ${body}`);
}

test("what is missing is given back, by name on another engine, and what is unknown there is named", async () => {
  serve();
  expect(await giveBack(new EngineApi(client), request, signal)).toEqual([
    "lost@corp does not have the role UserRole on the new machine: this engine does not know the user or group",
    "anna@corp does not have the role LostRole on the new machine: this engine has no such role",
    "the new machine lacks the affinity label lost: this engine has no such label",
    "the new machine is not in the affinity group lost: its cluster has no such group",
  ]);
  expect(changes()).toEqual([
    "/vms/v/tags <tag><name>nightly</name></tag>",
    "/tags <tag><name>weekly</name></tag>",
    "/vms/v/tags <tag><name>weekly</name></tag>",
    '/vms/v/permissions <permission><user id="u-anna"/><role id="r-use"/></permission>',
    '/vms/v/permissions <permission><group id="g-ops"/><role id="r-use"/></permission>',
    '/affinitylabels/l-1/vms <vm id="v"/>',
    '/clusters/c/affinitygroups/a-1/vms <vm id="v"/>',
  ]);
});

test("what the engine refuses is named, and keeps nothing else from being given", async () => {
  serve(/^\/(tags|vms\/v\/permissions|affinitylabels\/.*)$/);
  const warnings = await giveBack(new EngineApi(client), request, signal);
  expect(warnings).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/the tag weekly: .*no$/),
      expect.stringMatching(/^ops does not have the role UserRole .*no$/),
      expect.stringMatching(/the affinity label ssd: .*no$/),
    ]),
  );
  expect(changes().at(-1)).toContain("affinitygroups/a-1");
});

function option(value: string): string {
  const values = `<system_option_value><value>${value}</value><version>4.7</version></system_option_value>`;
  return `<system_option><values>${values}</values></system_option>`;
}

test("custom properties that the engine does not define are reported beforehand", async () => {
  const xml = "<vm><custom_properties>NAMES</custom_properties></vm>".replace(
    "NAMES",
    ["hugepages", "sap_agent", "ours"]
      .map((name) => `<custom_property><name>${name}</name></custom_property>`)
      .join(""),
  );
  const settings = parseXml(xml);
  const cluster = { id: "c", name: "c", version: { major: 4, minor: 7, build: 0, full: "4.7" } };
  const place = { ...cluster, dataCenterId: undefined, architecture: undefined };
  server.reply = ({ path }) => ({
    body: option(/Predefined/.test(path) ? "sap_agent=^(true|false)$;hugepages=^[0-9]+$" : ""),
  });
  const api = new EngineApi(client);
  expect(await unknownProperties(api, settings, place, signal)).toEqual([
    expect.stringMatching(/^this engine defines no custom property ours:/),
  ]);
  expect(server.calls.map(({ path }) => path)).toContain("/options/UserDefinedVMProperties?version=4.7");
  server.reply = () => ({ status: 404 });
  expect(await unknownProperties(api, settings, place, signal)).toEqual([]);
});

test("a machine that had nothing costs no request", async () => {
  serve();
  const nothing = { permissions: [], affinityLabels: [], affinityGroups: [] };
  expect(await giveBack(new EngineApi(client), { ...request, tags: [], belongings: nothing }, signal)).toEqual([]);
  expect(server.calls).toEqual([]);
});

test("a point remembers who may do what, and the groups that the machine is in, as far as the user may see it", async () => {
  const vm = parseVm(parseXml('<vm id="w"><cluster id="c"/></vm>'));
  server.reply = ({ path }) => {
    const place = path.replace(/\?.*/, "");
    if (place === "/vms/w/permissions") {
      return {
        body: '<permissions><permission id="p"><role id="r"><name>UserRole</name></role><user id="u"><user_name>anna@corp</user_name></user></permission></permissions>',
      };
    }
    const body = ENGINE[place];
    return body === undefined ? { status: 403 } : { body };
  };
  expect(await readBelongings(new EngineApi(client), vm, signal)).toEqual({
    permissions: [{ role: { id: "r", name: "UserRole" }, user: { id: "u", name: "anna@corp" }, group: undefined }],
    affinityLabels: [],
    affinityGroups: [{ id: "a-1", name: "apart" }],
  });
});
