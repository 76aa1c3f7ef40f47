import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { resolveSecret } from "@ovault/core";
import { newKey } from "@ovault/test-support/open-ssh-server";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";
import { beforeEach, expect, test, vi } from "vitest";

import { Credentials } from "../src/hosts/credentials.ts";
import { optionsSchema } from "../src/options.ts";

let directory: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  await newKey(join(directory, "key"), "ed25519");
  await newKey(join(directory, "locked"), "ed25519", "open sesame");
  await newKey(join(directory, "open"), "ed25519");
  await chmod(join(directory, "open"), 0o644);
  await writeFile(join(directory, "text"), "no key\n", { mode: 0o600 });
  await mkdir(join(directory, "folder"));
});

async function check(options: object): Promise<void> {
  const secret = (reference: Parameters<typeof resolveSecret>[0]): Promise<string> =>
    resolveSecret(reference, { baseDirectory: directory });
  await new Credentials(optionsSchema.parse(options), { baseDirectory: directory, secret }).check();
}

const named = (text: string): string => text.replace("DIR", directory);
const root = (more: object): object => ({ user: "root", ...more });

test.each<[string, object, string, string, string]>([
  [
    "a key file that is missing",
    { login: root({ privateKey: "none" }) },
    "login.privateKey: cannot read the secret file DIR/none: no such file or directory",
    "path",
    "DIR/none",
  ],
  [
    "a key file that is a directory",
    { login: root({ privateKey: "folder" }) },
    "login.privateKey: cannot read the secret file DIR/folder: illegal operation on a directory",
    "file that was meant",
    "DIR/folder",
  ],
  [
    "a key file that every user can read",
    { clusters: { Default: root({ privateKey: "open" }) } },
    "clusters.Default.privateKey: the secret file DIR/open is readable by every user",
    "chmod 600",
    "DIR/open",
  ],
  [
    "a key file without a key",
    { hosts: { kvm1: root({ privateKey: "text" }) } },
    "hosts.kvm1.privateKey: the private key DIR/text cannot be used: ",
    "ssh-keygen",
    "DIR/text",
  ],
  ["the public half of a key", { login: root({ privateKey: "key.pub" }) }, "login.privateKey: ", "", "DIR/key.pub"],
  [
    "a key with a passphrase that is not configured",
    { login: root({ privateKey: "locked" }) },
    "login.privateKey: the private key DIR/locked cannot be used: Encrypted",
    "passphrase",
    "DIR/locked",
  ],
  [
    "a file of a passphrase that is missing",
    { login: root({ privateKey: "locked", passphrase: { file: "none" } }) },
    "login.passphrase: cannot read the secret file DIR/none: no such file or directory",
    "path",
    "DIR/none",
  ],
  [
    "a file of a password that is missing",
    { hosts: { kvm1: root({ password: { file: "none" } }) } },
    "hosts.kvm1.password: cannot read the secret file DIR/none: no such file or directory",
    "path",
    "DIR/none",
  ],
  [
    "a variable that is not set",
    { login: root({ password: { env: "OVAULT_NO_SUCH" } }) },
    "login.password: the environment variable OVAULT_NO_SUCH is not set",
    "export",
    "OVAULT_NO_SUCH",
  ],
  [
    "a file of known hosts that is missing, for one host",
    { login: root({ privateKey: "key" }), hosts: { kvm1: { knownHosts: "none" } } },
    "hosts.kvm1.knownHosts: cannot read the file of known hosts DIR/none: no such file or directory",
    "path",
    "DIR/none",
  ],
])("%s is found before anything is asked", async (_, options, message, hint, place) => {
  const error: unknown = await check(options).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "E_CONFIGURATION",
    message: expect.stringContaining(`strategies.ssh-transfer.${named(message)}`),
    hint: expect.stringContaining(hint),
  });
  expect(error).toMatchObject({ message: expect.stringContaining(named(place)) });
});

test("an agent that is not there, or does not listen, is found", async () => {
  const options = { login: root({ agent: true }) };
  vi.stubEnv("SSH_AUTH_SOCK", undefined);
  await expect(check(options)).rejects.toThrow("login.agent: there is no SSH agent: SSH_AUTH_SOCK is not set");
  const socket = join(directory, "agent");
  vi.stubEnv("SSH_AUTH_SOCK", socket);
  await expect(check(options)).rejects.toThrow(
    `login.agent: no SSH agent listens at SSH_AUTH_SOCK ${socket}: no such file or directory`,
  );
  const agent = createServer().listen(socket);
  await expect(check(options)).resolves.toBeUndefined();
  agent.close();
  vi.unstubAllEnvs();
});

test("what can be used is accepted; a command that prints a secret does not run", async () => {
  const known = join(directory, "known_hosts");
  await writeFile(known, "");
  const checked = check({
    login: root({ privateKey: "key", knownHosts: known }),
    clusters: { Default: root({ privateKey: "locked", passphrase: { command: ["touch", join(directory, "ran")] } }) },
    hosts: { kvm1: root({ password: { command: ["/nowhere/program"] } }), kvm2: { port: 2222 } },
  });
  await expect(checked).resolves.toBeUndefined();
  expect(await readdir(directory)).not.toContain("ran");
});
