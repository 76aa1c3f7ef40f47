import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";

import { run } from "@ovault/test-support/commands";
import { newKey } from "@ovault/test-support/open-ssh-server";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { loginMethods } from "../src/authentication.ts";
import { serveKey } from "../src/tunnel/key-agent.ts";

/** An agent with a new key, its socket and the file of the key. */
async function startKeyAgent(): Promise<{ socket: string; file: string }> {
  const directory = await temporaryDirectory();
  const file = join(directory, "key");
  await newKey(file, "ed25519");
  const [method] = await loginMethods("user", { by: "key", key: await readFile(file, "utf8") });
  if (method?.type !== "publickey" || typeof method.key !== "object" || !("getPublicSSH" in method.key)) {
    throw new Error("not a login by key");
  }
  const socket = join(directory, "agent");
  const agent = await serveKey(method.key, socket);
  onTestFinished(() => agent.close());
  return { socket, file };
}

test("an agent shows its one key, and does nothing but sign with it", async () => {
  const { socket, file } = await startKeyAgent();
  const env = { SSH_AUTH_SOCK: socket };
  const [type, base64] = (await readFile(`${file}.pub`, "utf8")).split(" ");
  expect(await run("ssh-add", ["-L"], env)).toBe(`${type} ${base64} ovault\n`);
  await run("ssh-add", ["-T", `${file}.pub`], env);
  await newKey(`${file}-other`, "ed25519");
  await expect(run("ssh-add", ["-T", `${file}-other.pub`], env)).rejects.toThrow("Command failed");
  await expect(run("ssh-add", [`${file}-other`], env)).rejects.toThrow("Command failed");
  await expect(run("ssh-add", ["-D"], env)).rejects.toThrow("Command failed");
});

test("an agent survives any request", async () => {
  const { socket } = await startKeyAgent();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (body) => {
      const client = connect(socket);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(body.length);
      client.write(Buffer.concat([header, body]));
      const [reply] = (await once(client, "data")) as [Buffer];
      client.destroy();
      // A list of keys, a signature or a failure.
      expect([5, 12, 14]).toContain(reply[4]);
    }),
    { numRuns: 100, examples: [[Uint8Array.of(13)], [Uint8Array.of(13, 255, 255, 255, 255)], [Uint8Array.of(11)]] },
  );
  expect(await run("ssh-add", ["-l"], { SSH_AUTH_SOCK: socket })).toContain("ED25519");
});
