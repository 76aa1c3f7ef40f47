import { AuthenticationError } from "@ovault/contract";
import { issueCertificate, type ServerCertificate } from "@ovault/test-support/certificates";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { EngineApi } from "../src/api/engine-api.ts";
import { EngineClient, type EngineClientOptions } from "../src/engine/engine-client.ts";
import { parseEngineUrl } from "../src/engine/engine-url.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import { parseDiskAttachment } from "../src/model/disk-attachment.ts";
import { EngineServer, PASSWORD, USER, type Reply } from "./support/engine-server.ts";

const page: Reply = { status: 404, type: "text/html", body: "<html><body>Not Found</body></html>" };
const root =
  '<api><product_info><name>oVirt Engine</name><version major="3" minor="6" build="7"/></product_info></api>';
const signal = new AbortController().signal;

let certificate: ServerCertificate;
let server: EngineServer;
let client: EngineClient;
let api: EngineApi;

function connect(options: Partial<EngineClientOptions> = {}): void {
  const trust = { ca: [certificate.ca] };
  client = new EngineClient({
    url: server.url,
    user: USER,
    password: PASSWORD,
    trust,
    timings: { pollMs: 1 },
    ...options,
  });
  api = new EngineApi(client);
}

const wire = (): string[] => server.calls.map(({ method, path, body }) => `${method} ${path} ${body}`.trim());

beforeAll(async () => {
  certificate = await issueCertificate("IP:127.0.0.1");
});
beforeEach(async () => {
  server = await new EngineServer(certificate).start();
  server.login = () => page;
  connect();
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

describe("an engine without single sign-on", () => {
  test("is found by its API's root, and spoken to in version 3 with basic authentication", async () => {
    server.reply = ({ path }) => ({ body: path === "" ? root : "<vms/>" });
    await Promise.all([api.vms.list({}, signal), api.vms.list({ allContent: true }, signal)]);
    expect(await client.apiVersion(signal)).toBe(3);
    expect(wire().filter((call) => call === "GET")).toHaveLength(1);
    expect(server.calls.every(({ headers }) => headers["version"] === "3")).toBe(true);
    expect(server.calls.map(({ headers }) => headers["all-content"]).filter(Boolean)).toEqual(["true"]);
  });

  test("refuses a wrong password in those words", async () => {
    connect({ password: "wrong" });
    await expect(api.vms.list({}, signal)).rejects.toThrow(AuthenticationError);
  });

  test("is not looked for where single sign-on is configured", async () => {
    connect({ auth: "sso" });
    server.reply = () => ({ body: root });
    await expect(api.vms.list({}, signal)).rejects.toMatchObject({ code: "E_ENGINE_ANSWER" });
    expect(server.calls).toEqual([]);
  });

  test("shows the disks of a machine as attachments, and takes disks for a snapshot", async () => {
    const inside = "<active>true</active><bootable>true</bootable><interface>virtio</interface>";
    const disk = "<alias>a</alias><size>512</size><format>cow</format><status><state>ok</state></status>";
    server.reply = ({ path }) => ({
      body:
        path === ""
          ? root
          : path.endsWith("/disks")
            ? `<disks><disk id="d">${disk}${inside}</disk></disks>`
            : '<snapshot id="s"/>',
    });
    const [attachment] = await api.vms.diskAttachments("v", false, signal);
    const later = `<disk_attachment id="d">${inside}<disk id="d"><alias>a</alias><provisioned_size>512</provisioned_size><format>cow</format><status>ok</status></disk></disk_attachment>`;
    const { disk: oldDisk, ...old } = attachment ?? {};
    const { disk: newDisk, ...modern } = parseDiskAttachment(parseXml(later));
    expect(old).toEqual(modern);
    expect(oldDisk).toEqual({ ...newDisk, active: true, bootable: true, interface: "virtio" });
    await api.snapshots.create("v", { description: "x", diskIds: ["d"] }, signal);
    expect(wire().at(-1)).toBe(
      'POST /vms/v/snapshots <snapshot><description>x</description><disks><disk id="d"/></disks>' +
        "<persist_memorystate>false</persist_memorystate></snapshot>",
    );
  });

  test("never removes disks that should be kept", async () => {
    server.reply = () => ({ body: root });
    await expect(api.vms.delete("v", { keepDisks: true }, signal)).rejects.toMatchObject({ code: "E_USAGE" });
    expect(wire().filter((call) => call.startsWith("DELETE"))).toEqual([]);
  });
});

test("an engine with single sign-on tells its version without a request", async () => {
  server.login = undefined;
  expect(await client.apiVersion(signal)).toBe(4);
  expect(server.calls).toEqual([]);
});

test("basic authentication learns the version from the root", async () => {
  connect({ auth: "basic" });
  server.reply = () => ({ body: root });
  expect(await client.apiVersion(signal)).toBe(3);
});

test.each(["https://e/api", "https://e/api/v3", "https://e/ovirt-engine/api/v3/", "https://e"])(
  "%s leads to the engine",
  (url) => {
    expect(parseEngineUrl(url).apiPath).toBe("/ovirt-engine/api");
  },
);
