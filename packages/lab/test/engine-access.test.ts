import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { get } from "node:https";
import { once } from "node:events";
import { connect } from "node:tls";

import { expect, test } from "vitest";

import { currentValidity, createAuthority, fingerprintOf, issueServerCertificate } from "../src/certificates.ts";
import { EngineClient } from "./support/engine-client.ts";
import { withLab } from "./support/lab-fixture.ts";

test("the CA is handed out without a login, and proves the API's certificate", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    const { origin } = new URL(lab.url);
    const answer = await client.raw(
      "GET",
      `${origin}/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA`,
    );
    expect(answer.status).toBe(200);
    expect(fingerprintOf(answer.text)).toBe(lab.caFingerprint);
    const stranger = new EngineClient(lab, (await createAuthority("stranger")).certificatePem);
    await expect(stranger.get("")).rejects.toThrow(/certificate/);
    await stranger.close();
  });
});

test("a certificate is for localhost and 127.0.0.1 and verifies against its authority", async () => {
  const authority = await createAuthority("test");
  const issued = await issueServerCertificate(authority, currentValidity());
  const certificate = new X509Certificate(issued.certificatePem);
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true);
});

test("a GET is answered without the body that it announces", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    const { hostname, port } = new URL(lab.url);
    const socket = connect({ host: hostname, port: Number(port), ca: await readFile(lab.caFile) });
    const head = ["GET /ovirt-engine/api HTTP/1.1", "Host: x", `Authorization: ${client.authorization}`];
    socket.write([...head, "Content-Type: application/xml", "Content-Length: 17", "", ""].join("\r\n"));
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(answer.toString("latin1")).toMatch(/^HTTP\/1.1 200 /);
    expect(answer.toString("latin1")).toContain("Connection: close");
  });
});

test("a password buys a token, a token opens the API, and a logout ends it", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    const token = await client.login();
    expect((await client.get("")).status).toBe(200);
    const { origin } = new URL(lab.url);
    const logout = await client.raw("POST", `${origin}/ovirt-engine/services/sso-logout`, {
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: `scope=ovirt-app-api&token=${token}`,
    });
    expect([logout.status, logout.text]).toEqual([200, "{}"]);
    const refused = await client.get("");
    expect(refused.status).toBe(401);
    expect(refused.headers["www-authenticate"]).toBe('Basic realm="RESTAPI"');
    expect(refused.text).toBe("<html><head><title>Error</title></head><body>Unauthorized</body></html>");
  });
});

test("a wrong password is a bad request at the token endpoint and 401 as Basic", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    const { origin } = new URL(lab.url);
    const answer = await client.raw("POST", `${origin}/ovirt-engine/sso/oauth/token`, {
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "grant_type=password&scope=ovirt-app-api&username=admin%40internal&password=no",
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ error_code: "access_denied" });
    client.authorization = `Basic ${Buffer.from("admin@internal:no").toString("base64")}`;
    expect((await client.get("")).status).toBe(401);
    client.authorization = "Bearer made-up";
    expect((await client.get("")).status).toBe(401);
  });
});

test("what the API cannot read is refused: other versions, other content types, broken XML, unknown paths", async () => {
  await withLab({ vms: [] }, async ({ client }) => {
    expect((await client.call("GET", "", undefined, { version: "3" })).status).toBe(400);
    expect((await client.get("/v4/vms")).status).toBe(200);
    expect((await client.call("POST", "/vms", "{}", { "content-type": "application/json" })).status).toBe(415);
    expect((await client.post("/vms", "<vm><name>x</vm>")).status).toBe(400);
    expect(await client.get("/nothing")).toMatchObject({ status: 404, text: "" });
    const missing = await client.post("/disks", "<disk/>");
    expect(missing.xml.text("reason")).toBe("Incomplete parameters");
  });
});

test("the engine's own expectations are no reason to refuse a request", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    const ca = await readFile(lab.caFile, "utf8");
    const headers = { expect: "202-accepted", authorization: client.authorization };
    const status = await new Promise((resolve, reject) => {
      get(`${lab.url}/vms`, { ca, headers }, (response) => resolve(response.resume().statusCode)).once("error", reject);
    });
    expect(status).toBe(200);
  });
});
