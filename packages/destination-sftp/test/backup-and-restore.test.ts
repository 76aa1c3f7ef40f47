import { randomBytes } from "node:crypto";

import { afterAll, expect, onTestFinished, test } from "vitest";

import { Repository, retrying } from "@ovault/core";
import { SftpStore } from "@ovault/destination-sftp";
import { applyChanges, type ModelDisk, sourceOf } from "@ovault/testkit";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";

import { restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";
import { UnreliableLink } from "./support/unreliable-link.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

const MEBIBYTE = 1024 * 1024;
const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());

test("what was backed up over a link that breaks is what is restored, and so is the increment", async () => {
  const link = await UnreliableLink.to(server.port);
  const settings = await sftpSettings(server, await server.newDirectory(), {
    port: link.port,
    trust: { fingerprint: await server.fingerprint() },
  });
  const store = await SftpStore.open(settings, signal);
  onTestFinished(async () => {
    await store.close();
    await link.close();
  });
  const patient = retrying(store, { policy: { patienceMs: 60_000, firstDelayMs: 10 } });
  await Repository.create(patient, { signal });

  const bytes = randomBytes(24 * MEBIBYTE);
  const first: ModelDisk = { bytes, extents: [{ offset: 0, length: bytes.length, kind: "data" }] };
  link.breakAfter({ sent: 3 * MEBIBYTE }, { sent: 12 * MEBIBYTE });
  const base = await takePoint(await Repository.open(patient, { signal }), [sourceOf(first)]);
  const second = applyChanges(first, { changes: [{ at: 0.5, length: 3 * MEBIBYTE, seed: 7 }], grownBy: MEBIBYTE });
  const repository = await Repository.open(patient, { signal });
  const point = await takePoint(repository, [sourceOf(second, { mode: "incremental" })], { base });

  link.breakAfter({ received: 6 * MEBIBYTE });
  const reader = await Repository.open(patient, { signal });
  expect(Buffer.compare(await restoredBytes(reader, base), first.bytes)).toBe(0);
  expect(Buffer.compare(await restoredBytes(reader, point), second.bytes)).toBe(0);
  expect(link.broken).toBe(3);
});
