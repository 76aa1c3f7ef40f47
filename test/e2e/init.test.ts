import { X509Certificate } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { issueCertificate } from "@ovault/test-support/certificates";

import { LabRig } from "./support/lab-rig.ts";
import { ManInTheMiddle } from "./support/man-in-the-middle.ts";

let rig: LabRig;
let engine: readonly string[];
beforeAll(async () => {
  rig = await LabRig.start({ web01: [["-f", "qcow2", "8M"]] });
  const { url, user, caFingerprint } = await rig.lab.status();
  const password = `file:${join(rig.labDirectory, "lab-password")}`;
  engine = ["--url", url, "--user", user, "--password", password, "--ca-fingerprint", caFingerprint];
});
afterAll(() => rig.stop());

const init = (config: string, ...options: readonly string[]): ReturnType<LabRig["ovault"]> =>
  rig.ovault("init", "--config", rig.file(config), ...engine, ...options);

describe("ovault init", () => {
  test("makes a set-up that the doctor finds healthy", async () => {
    const { exitCode, stdout } = await init("mine.yaml", "--destination", "backups");
    expect(exitCode).toBe(0);
    expect(stdout).toContain((await rig.lab.status()).caFingerprint);
    expect((await stat(rig.file("mine.yaml"))).mode & 0o777).toBe(0o600);
    const doctor = await rig.ovault("doctor", "--config", rig.file("mine.yaml"));
    expect(doctor.stdout).toMatch(/ok +engine: rights and data path/);
    expect(doctor.exitCode).toBe(0);
  });

  test("writes no password, only where it is", async () => {
    const password = (await readFile(join(rig.labDirectory, "lab-password"), "utf8")).trim();
    expect(await readFile(rig.file("mine.yaml"), "utf8")).not.toContain(password);
  });

  test("uses a repository that is there already", async () => {
    const { exitCode, stdout } = await init("second.yaml", "--destination", "backups", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ destination: { created: false }, manager: { user: "admin@internal" } });
  });

  test("refuses a CA of another fingerprint, and writes nothing", async () => {
    const { exitCode, stderr } = await init("third.yaml", "--destination", "third", "--ca-fingerprint", "AB:CD");
    expect(stderr).toContain("does not have the fingerprint given");
    expect(exitCode).toBe(3);
    await expect(stat(rig.file("third.yaml"))).rejects.toThrow("ENOENT");
    await expect(stat(rig.file("third"))).rejects.toThrow("ENOENT");
  });

  test("keeps the CA that was confirmed, and none that was added on the way", async () => {
    const evil = await issueCertificate("IP:127.0.0.1");
    const { url, caFile, caFingerprint } = await rig.lab.status();
    await using between = await ManInTheMiddle.start(url, (await readFile(caFile, "utf8")) + evil.ca);
    const confirmed = ["--url", between.url, "--ca-fingerprint", caFingerprint];
    const { exitCode, stderr } = await init("between.yaml", "--destination", "backups", ...confirmed);
    expect(stderr).toContain(`not kept: CA CN=Test CA, SHA-256 ${new X509Certificate(evil.ca).fingerprint256}`);
    expect(exitCode).toBe(0);
    const written = await readFile(rig.file("between.yaml"), "utf8");
    expect(written.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    expect(written).toContain(caFingerprint);
  });

  test("refuses a CA that is not confirmed", async () => {
    const unconfirmed = engine.slice(0, -2);
    const { exitCode, stderr } = await rig.ovault("init", "--config", rig.file("third.yaml"), ...unconfirmed);
    expect(stderr).toContain((await rig.lab.status()).caFingerprint);
    expect(stderr).toContain("was not confirmed");
    expect(exitCode).toBe(3);
  });

  test("takes a CA from a file without asking", async () => {
    const { caFile } = await rig.lab.status();
    const options = [...engine.slice(0, -2), "--ca-file", caFile, "--destination", "backups"];
    expect((await rig.ovault("init", "--config", rig.file("third.yaml"), ...options)).exitCode).toBe(0);
  });

  test("keeps every certificate of a CA file, and doctor names each", async () => {
    const other = await issueCertificate("IP:127.0.0.1");
    const { caFile, caFingerprint } = await rig.lab.status();
    await writeFile(rig.file("both.pem"), (await readFile(caFile, "utf8")) + other.ca);
    const options = [...engine.slice(0, -2), "--ca-file", rig.file("both.pem"), "--destination", "backups"];
    const made = await rig.ovault("init", "--config", rig.file("both.yaml"), ...options, "--json");
    const fingerprints = [caFingerprint, new X509Certificate(other.ca).fingerprint256];
    expect(JSON.parse(made.stdout)).toMatchObject({
      ca: { fingerprint: caFingerprint, certificates: fingerprints.map((fingerprint) => ({ fingerprint })) },
    });
    const { stdout } = await rig.ovault("doctor", "--config", rig.file("both.yaml"), "--json");
    expect(JSON.parse(stdout)).toContainEqual({
      name: "engine: trusted certificates",
      status: "ok",
      detail: expect.stringMatching(new RegExp(fingerprints.join(".*"))),
      hint: null,
    });
  });

  test("refuses a password that is written out, without repeating it", async () => {
    const { exitCode, stderr } = await init("fourth.yaml", "--destination", "fourth", "--password", "hunter2-hunter2");
    expect(stderr).toContain("a password is never given itself");
    expect(stderr).not.toContain("hunter2");
    expect(exitCode).toBe(2);
  });
});
