import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { messageOf, type PluginHost } from "@ovault/contract";
import { resolveSecret } from "@ovault/core";
import sftp from "@ovault/destination-sftp";
import { pluginOptions } from "@ovault/testkit";
import { run } from "@ovault/test-support/commands";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());

function hostIn(baseDirectory: string): PluginHost {
  return { baseDirectory, signal, secret: (reference) => resolveSecret(reference, { baseDirectory, signal }) };
}

const required = { host: "backup.example.com", user: "ovault", directory: "backups" };

describe("the options of an SFTP destination", () => {
  test("have defaults for all but the server, the user, the directory and the login", async () => {
    expect(await pluginOptions(sftp, { ...required, agent: true })).toEqual({
      ...required,
      agent: true,
      port: 22,
      connections: 4,
      timeoutMs: 120_000,
    });
  });

  const secret = { env: "SECRET" };
  test.each([
    ["no login", {}, "exactly one of"],
    ["two logins", { agent: true, password: secret }, "exactly one of"],
    ["a password written out", { password: "hunter2" }, "only a reference"],
    ["a passphrase without a key", { password: secret, passphrase: secret }, "belongs to a privateKey"],
    [
      "a pinned key and a file of keys",
      { agent: true, hostKey: `SHA256:${"A".repeat(43)}`, knownHosts: "x" },
      "either",
    ],
    ["a fingerprint of another kind", { agent: true, hostKey: "MD5:00:11" }, "fingerprint"],
    ["a host with its user", { agent: true, host: "me@example.com" }, "without port and user"],
    ["a host that could be an option of ssh", { agent: true, host: "-oProxyCommand=x" }, "without port and user"],
    ["a directory with ~", { agent: true, directory: "~/backups" }, "without ~"],
    ["a misspelt key", { agent: true, hots: "x" }, "hots"],
  ])("refuse %s", async (_, wrong, message) => {
    const error = await pluginOptions(sftp, { ...required, ...wrong }).then(() => undefined, messageOf);
    expect(error).toContain(message);
    expect(error).not.toContain("hunter2");
  });
});

describe("the plugin", () => {
  test("prepares a destination and opens it, with a key file and known hosts beside ovault.yaml", async () => {
    const directory = join(await server.newDirectory(), "made");
    const chosen = {
      host: "127.0.0.1",
      port: server.port,
      user: server.user,
      directory,
      privateKey: "user",
      knownHosts: "known_hosts",
    };
    const options = await pluginOptions(sftp, chosen);
    await expect(sftp.create(options, hostIn(server.home))).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
    await sftp.prepare?.(options, hostIn(server.home));
    const store = await sftp.create(options, hostIn(server.home));
    expect(await store.put("a", [], { ifAbsent: true, signal })).toBe("stored");
    await store.close();
  });

  test("needs a running agent, and a key file that only its owner can read", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "key"), "x", { mode: 0o644 });
    const host = hostIn(directory);
    const create = async (login: object) => sftp.create(await pluginOptions(sftp, { ...required, ...login }), host);
    const wrong = { code: "E_CONFIGURATION" };
    await expect(create({ privateKey: "key" })).rejects.toMatchObject({
      ...wrong,
      hint: expect.stringContaining("chmod 600"),
    });
    await writeFile(join(directory, "text"), "x", { mode: 0o600 });
    await expect(create({ privateKey: "text" })).rejects.toMatchObject({
      ...wrong,
      message: expect.stringContaining(`privateKey: the private key ${directory}/text cannot be used`),
    });
    await expect(create({ privateKey: "none" })).rejects.toMatchObject({
      ...wrong,
      message: expect.stringMatching(/^privateKey: cannot read .*none: no such file or directory$/),
    });
    await expect(create({ privateKey: { env: "OVAULT_NO_SUCH" } })).rejects.toMatchObject(wrong);
    const socket = process.env["SSH_AUTH_SOCK"];
    delete process.env["SSH_AUTH_SOCK"];
    try {
      await expect(create({ agent: true })).rejects.toMatchObject({
        ...wrong,
        hint: expect.stringContaining("ssh-add"),
      });
    } finally {
      if (socket !== undefined) process.env["SSH_AUTH_SOCK"] = socket;
    }
  });

  test("does not load ssh2 before it connects", async () => {
    const script = `
      import { createRequire } from "node:module";
      await import("@ovault/destination-sftp");
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(loaded.filter((file) => file.includes("ssh2")).length);
    `;
    expect(await run(process.execPath, ["--input-type=module", "--eval", script])).toBe("0\n");
  });
});
