import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { connectSsh, type RecordedKey, sshServer } from "@ovault/ssh";
import { type HostKeyType, OpenSshServer } from "@ovault/test-support/open-ssh-server";

const signal = new AbortController().signal;
const server = await OpenSshServer.start({ hostKeys: ["ed25519", "ecdsa", "rsa"] });
afterAll(() => server.stop());
const TYPES: readonly HostKeyType[] = ["ed25519", "ecdsa", "rsa"];

/** `TYPE BASE64 test`, as in the file of the key. */
async function publicKeyOf(type: HostKeyType, of = server): Promise<string> {
  return (await readFile(join(of.home, `host-${type}.pub`), "utf8")).trim();
}

async function md5Of(type: HostKeyType): Promise<string> {
  const [, base64 = ""] = (await publicKeyOf(type)).split(" ");
  const digits = createHash("md5").update(Buffer.from(base64, "base64")).digest("hex");
  return (digits.match(/../g) ?? []).join(":");
}

async function open(record: Omit<RecordedKey, "by">, at = server): Promise<string> {
  const settings = { ...(await at.settings()), trust: { recorded: { ...record, by: "the engine" } } };
  const { socket, hostKey } = await connectSsh(await sshServer(settings, 30_000), signal);
  socket.destroy();
  return `SHA256:${createHash("sha256").update(hostKey).digest("base64").replace(/=$/, "")}`;
}

describe.each(TYPES)("the %s key of a server that has others too is the recorded one", (type) => {
  test("by its fingerprint", async () => {
    const fingerprint = await server.fingerprint(type);
    expect(await open({ fingerprint })).toBe(fingerprint);
  });

  test("by its MD5, as engines before 4.2 have it", async () => {
    const md5 = await md5Of(type);
    const fingerprint = await server.fingerprint(type);
    expect(await open({ fingerprint: md5 })).toBe(fingerprint);
    expect(await open({ fingerprint: `MD5:${md5.toUpperCase()}` })).toBe(fingerprint);
  });

  test("by the key itself, with a name before it and a comment behind, whatever the fingerprint", async () => {
    const key = await publicKeyOf(type);
    const fingerprint = await server.fingerprint(type);
    expect(await open({ publicKey: key })).toBe(fingerprint);
    expect(await open({ publicKey: `127.0.0.1,kvm1 ${key}\n`, fingerprint: "old" })).toBe(fingerprint);
  });
});

test("a key that is not the recorded one is refused, with the next step", async () => {
  const other = await OpenSshServer.start();
  try {
    const right = await server.fingerprint();
    const foreign = { publicKey: await publicKeyOf("ed25519", other), fingerprint: await other.fingerprint() };
    const almost = `${right.slice(0, -1)}${right.endsWith("A") ? "B" : "A"}`;
    const records: readonly (readonly [Omit<RecordedKey, "by">, string])[] = [
      [foreign, `not ${foreign.fingerprint}, which the engine has`],
      // The key alone decides where there is one.
      [{ publicKey: foreign.publicKey, fingerprint: right }, `not ${foreign.fingerprint}, which the engine has`],
      [{ fingerprint: almost }, `not ${almost}, which the engine has`],
      [{ fingerprint: (await md5Of("rsa")).slice(3) }, "which the engine has"],
      [{ fingerprint: right.toLowerCase() }, "which the engine has"],
      [{ fingerprint: "" }, "and the engine has no key"],
      [{}, "and the engine has no key"],
    ];
    for (const [record, message] of records) {
      await expect(open(record)).rejects.toMatchObject({
        code: "E_HOST_KEY",
        retry: "never",
        message: expect.stringContaining(message),
        hint: expect.stringContaining(`hostKey: ${right}`),
      });
    }
  } finally {
    await other.stop();
  }
});

test("a login that is refused is not taken for another key", async () => {
  const settings = await server.settings();
  const trust = { recorded: { by: "the engine", fingerprint: await server.fingerprint("rsa") } };
  const refused = await sshServer({ ...settings, user: "ovault-nobody", trust }, 30_000);
  await expect(connectSsh(refused, signal)).rejects.toMatchObject({ code: "E_SSH_LOGIN" });
});
