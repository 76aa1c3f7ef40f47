import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redactor } from "@ovault/core";
import { issueCertificate } from "@ovault/test-support/certificates";
import { PlainOrTlsServer } from "@ovault/test-support/plain-or-tls-server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { Terminal } from "../src/output/terminal.ts";
import { Questions } from "../src/questions.ts";
import { trustedCa } from "../src/trusted-ca.ts";

const { signal } = new AbortController();
const fingerprintOf = (pem: string): string => new X509Certificate(pem).fingerprint256;

let directory: string;
let engineCa: string;
let evilCa: string;
let onTheWay: PlainOrTlsServer;
let sent: string;
let shown = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-ca-"));
  const [engine, evil] = await Promise.all([issueCertificate("IP:127.0.0.1"), issueCertificate("IP:127.0.0.1")]);
  [engineCa, evilCa] = [engine.ca, evil.ca];
  onTheWay = await new PlainOrTlsServer(engine, () => ({ status: 200, body: sent })).start();
});
afterAll(async () => {
  await onTheWay.stop();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  sent = engineCa + evilCa;
  shown = "";
});

/** What init trusts of an engine that no public authority vouches for. */
async function trusted(source: { readonly file?: string; readonly fingerprint?: string }) {
  const err = { write: (text: string) => (shown += text) };
  const terminal = new Terminal({ out: err, err }, new Redactor(), { quiet: false });
  const context = { terminal, signal } as Parameters<typeof trustedCa>[1];
  const { certificates, pin } = await trustedCa(
    { url: onTheWay.url, file: source.file, fingerprint: source.fingerprint },
    context,
    new Questions(signal, false),
  );
  return { fingerprints: certificates.map(({ fingerprint }) => fingerprint), pin };
}

describe("of several certificates that come over plain HTTP, init keeps", () => {
  test.each([
    ["first", () => engineCa + evilCa],
    ["last", () => evilCa + engineCa],
  ])("the one with the fingerprint given, also when it comes %s, and names the others", async (_place, order) => {
    sent = order();
    const fingerprint = fingerprintOf(engineCa);
    expect(await trusted({ fingerprint })).toEqual({ fingerprints: [fingerprint], pin: fingerprint });
    expect(shown).toMatch(/warning: the engine sent 1 more certificate, not kept:/);
    expect(shown).toContain(fingerprintOf(evilCa));
  });

  test("none when no person confirms and no fingerprint is given", async () => {
    await expect(trusted({})).rejects.toMatchObject({ code: "E_CERTIFICATE" });
    await expect(trusted({ fingerprint: "AB:CD" })).rejects.toMatchObject({ code: "E_CERTIFICATE" });
  });
});

describe("a CA file", () => {
  test("of several certificates is kept whole, and each is shown", async () => {
    const file = join(directory, "both.pem");
    await writeFile(file, `\uFEFF${engineCa}${evilCa}`);
    const fingerprints = [fingerprintOf(engineCa), fingerprintOf(evilCa)];
    expect(await trusted({ file })).toEqual({ fingerprints, pin: undefined });
    for (const fingerprint of fingerprints) expect(shown).toContain(fingerprint);
    expect(await trusted({ file, fingerprint: fingerprints[1] ?? "" })).toEqual({
      fingerprints: fingerprints.toReversed(),
      pin: fingerprints[1],
    });
  });

  test("of one certificate pins it", async () => {
    const file = join(directory, "one.pem");
    await writeFile(file, engineCa);
    expect(await trusted({ file })).toEqual({ fingerprints: [fingerprintOf(engineCa)], pin: fingerprintOf(engineCa) });
  });
});
