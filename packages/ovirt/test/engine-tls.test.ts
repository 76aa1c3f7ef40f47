import { X509Certificate } from "node:crypto";
import { inspect } from "node:util";

import { CertificateError } from "@ovault/contract";
import { issueCertificate, type ServerCertificate } from "@ovault/test-support/certificates";
import { PlainOrTlsServer } from "@ovault/test-support/plain-or-tls-server";
import { afterEach, expect, test } from "vitest";

import { certificateFacts, fetchEngineCa } from "../src/engine/ca.ts";
import { EngineClient } from "../src/engine/engine-client.ts";
import type { TlsTrust } from "../src/engine/tls.ts";
import { EngineServer, PASSWORD, USER } from "./support/engine-server.ts";

const signal = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve(certificate: ServerCertificate): Promise<EngineServer> {
  const server = await new EngineServer(certificate).start();
  closers.push(() => server.stop());
  return server;
}

const pinOf = (pem: string): string => new X509Certificate(pem).fingerprint256;

/** One call to the server with this trust. */
async function call(server: EngineServer, trust: TlsTrust): Promise<unknown> {
  const client = new EngineClient({ url: server.url, user: USER, password: PASSWORD, trust, timings: { pollMs: 1 } });
  closers.push(() => client.close());
  return client.get("/vms", { signal });
}

test("a CA that we do not trust is named as such, and gets no password", async () => {
  const server = await serve(await issueCertificate("IP:127.0.0.1"));
  const other = await issueCertificate("IP:127.0.0.1");
  const error: unknown = await call(server, { ca: [other.ca] }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CertificateError);
  expect(error).toMatchObject({ message: expect.stringContaining("not signed by a trusted CA") });
  expect(inspect(error, { depth: 10 })).not.toContain(PASSWORD);
  expect(server.others).toEqual([]);
});

test("a certificate for another host is named as such", async () => {
  const certificate = await issueCertificate("DNS:engine.example.com,IP:127.0.0.2");
  const server = await serve(certificate);
  await expect(call(server, { ca: [certificate.ca] })).rejects.toMatchObject({
    code: "E_CERTIFICATE",
    message: expect.stringContaining("another host name"),
  });
});

test("an expired certificate is named as such", async () => {
  const certificate = await issueCertificate("IP:127.0.0.1", -1);
  const server = await serve(certificate);
  await expect(call(server, { ca: [certificate.ca] })).rejects.toMatchObject({
    code: "E_CERTIFICATE",
    message: expect.stringContaining("expired"),
  });
});

test("one of several CAs is enough", async () => {
  const certificate = await issueCertificate("IP:127.0.0.1");
  const other = await issueCertificate("IP:127.0.0.1");
  const server = await serve(certificate);
  await call(server, { ca: [other.ca, certificate.ca] });
  expect(server.calls).toHaveLength(1);
});

test("a CA that another one has signed is trusted by itself", async () => {
  const root = await issueCertificate("IP:127.0.0.1");
  const certificate = await issueCertificate("IP:127.0.0.1", 30, root);
  const server = await serve(certificate);
  await call(server, { ca: [certificate.ca], fingerprint: pinOf(certificate.ca) });
  expect(server.calls).toHaveLength(1);
});

test("a pinned fingerprint must be in the chain, as the server's certificate or its CA", async () => {
  const certificate = await issueCertificate("IP:127.0.0.1");
  const server = await serve(certificate);
  const trusted = { ca: [certificate.ca] };
  const other = await issueCertificate("IP:127.0.0.1");

  await call(server, { ...trusted, fingerprint: pinOf(certificate.ca) });
  await call(server, { ...trusted, fingerprint: pinOf(certificate.cert).replaceAll(":", "").toLowerCase() });
  await expect(call(server, { ...trusted, fingerprint: pinOf(other.ca) })).rejects.toMatchObject({
    code: "E_CERTIFICATE",
    message: expect.stringContaining("pinned fingerprint"),
  });
});

test("the CA is fetched over plain HTTP when no public authority vouches for the engine, and says so", async () => {
  const certificate = await issueCertificate("IP:127.0.0.1");
  const server = await new PlainOrTlsServer(certificate, (path) =>
    path.includes("resource=ca-certificate") ? { status: 200, body: certificate.ca } : { status: 404, body: "" },
  ).start();
  closers.push(() => server.stop());
  const fetched = await fetchEngineCa({ url: server.url, signal });
  expect(fetched.authenticated).toBe(false);
  expect(fetched.certificates.map((one) => one.fingerprint)).toEqual([pinOf(certificate.ca)]);
});

test("an engine that hands out no CA is distinguished from one that does not answer", async () => {
  const certificate = await issueCertificate("IP:127.0.0.1");
  const server = await new PlainOrTlsServer(certificate, () => ({ status: 302, body: "" })).start();
  closers.push(() => server.stop());
  await expect(fetchEngineCa({ url: server.url, signal })).rejects.toMatchObject({
    code: "E_ENGINE_ANSWER",
    hint: expect.stringContaining("/etc/pki/ovirt-engine/ca.pem"),
  });
  await server.stop();
  await expect(fetchEngineCa({ url: server.url, signal })).rejects.toMatchObject({ code: "E_MANAGER_UNAVAILABLE" });

  const tlsOnly = await serve(certificate);
  await expect(fetchEngineCa({ url: tlsOnly.url, signal })).rejects.toMatchObject({
    code: "E_MANAGER_UNAVAILABLE",
    hint: expect.stringContaining("/etc/pki/ovirt-engine/ca.pem"),
  });
});

test("a CA says who it is", async () => {
  const { ca } = await issueCertificate("IP:127.0.0.1");
  const facts = certificateFacts(new X509Certificate(ca));
  expect(facts).toMatchObject({ subject: "CN=Test CA", issuer: "CN=Test CA", isCa: true });
  expect(facts.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  expect(Date.parse(facts.validTo)).toBeGreaterThan(Date.now());
});
