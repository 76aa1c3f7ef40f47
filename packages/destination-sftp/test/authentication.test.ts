import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, onTestFinished, test } from "vitest";

import { StoreError } from "@ovault/contract";
import { type Authentication, HostKeyError, SftpStore } from "@ovault/destination-sftp";
import { run } from "@ovault/test-support/commands";
import { newKey, OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { startAgent } from "@ovault/test-support/ssh-agent";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";
import { canHaveOtherUsers, OTHER_USER } from "@ovault/test-support/throw-away-user";

import { startPlainServer } from "./support/plain-sftp-server.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());

const otherUsers = await canHaveOtherUsers();
const REFUSED = { code: "E_STORE_PERMISSION", retry: "never" };

async function login(authentication: Authentication, at = server): Promise<"in"> {
  const settings = await sftpSettings(at, await at.newDirectory(), { authentication });
  const store = await SftpStore.open(settings, signal);
  await store.put("a", [], { ifAbsent: true, signal });
  await store.close();
  return "in";
}

async function keyWith(passphrase: string): Promise<{ file: string; key: string }> {
  const file = join(await temporaryDirectory(), "key");
  await newKey(file, "ed25519", passphrase);
  return { file, key: await readFile(file, "utf8") };
}

describe("a private key", () => {
  test("that the server knows lets in, and one that it does not know is refused with the next step", async () => {
    expect(await login({ by: "key", key: await readFile(join(server.home, "user"), "utf8") })).toBe("in");
    const { key } = await keyWith("");
    await expect(login({ by: "key", key })).rejects.toMatchObject({
      ...REFUSED,
      hint: expect.stringContaining("authorized_keys"),
    });
  });

  test("with a passphrase lets in with it; without, with another one, or when it is no key, the error tells neither", async () => {
    const { file, key } = await keyWith("open sesame");
    await run("sh", ["-c", `cat ${file}.pub >> ${join(server.home, "authorized_keys")}`]);
    expect(await login({ by: "key", key, passphrase: "open sesame" })).toBe("in");
    const publicKey = await readFile(`${file}.pub`, "utf8");
    const unusable: readonly Authentication[] = [
      { by: "key", key },
      { by: "key", key, passphrase: "close sesame" },
      { by: "key", key: "open sesame" },
      { by: "key", key: publicKey },
    ];
    for (const authentication of unusable) {
      const error: unknown = await login(authentication).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ ...REFUSED, hint: expect.stringContaining("passphrase") });
      expect(JSON.stringify([error, String(error), String(error instanceof Error && error.stack)])).not.toContain(
        "sesame",
      );
    }
  });
});

describe("a server that is not known", () => {
  test("is refused as a destination, too", async () => {
    const trust = { fingerprint: `SHA256:${"A".repeat(43)}` };
    const settings = await sftpSettings(server, await server.newDirectory(), { trust });
    const refused = await SftpStore.open(settings, signal).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StoreError);
    expect(refused).toBeInstanceOf(HostKeyError);
    expect(refused).toMatchObject({ code: "E_HOST_KEY", retry: "never", hint: expect.stringContaining("SHA256:") });
  });
});

describe("an agent", () => {
  test("lets in with a key that it holds, after others that the server does not know", async () => {
    const { file } = await keyWith("");
    expect(await login({ by: "agent", socket: await startAgent(file, join(server.home, "user")) })).toBe("in");
  });

  test("without the key, or that is not there, is refused with the next step", async () => {
    const { file } = await keyWith("");
    const next = { ...REFUSED, hint: expect.stringContaining("ssh-add -l") };
    await expect(login({ by: "agent", socket: await startAgent(file) })).rejects.toMatchObject(next);
    await expect(login({ by: "agent", socket: "/nowhere" })).rejects.toMatchObject(next);
  });
});

describe("a password", () => {
  test.skipIf(!otherUsers)("lets in, and a wrong one is refused and not shown", async () => {
    const other = await OpenSshServer.start({ otherUser: true });
    onTestFinished(() => other.stop());
    expect(await login({ by: "password", password: OTHER_USER.password }, other)).toBe("in");
    const error: unknown = await login({ by: "password", password: "wrong horse" }, other).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ ...REFUSED, hint: expect.stringContaining("password") });
    expect(JSON.stringify([error, String(error)])).not.toContain("horse");
  });

  test("is also given to a server that asks for it, and for nothing else", async () => {
    const asked: string[][] = [];
    const ask = async (...questions: readonly string[]): Promise<unknown> => {
      const plain = await startPlainServer({
        authenticate: (context) => {
          if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
          const prompts = questions.map((prompt) => ({ prompt, echo: false }));
          context.prompt(prompts, (answers) => {
            asked.push(answers);
            if (answers[0] === "staple") context.accept();
            else context.reject();
          });
        },
      });
      onTestFinished(plain.stop);
      const settings = { ...plain.settings, authentication: { by: "password", password: "staple" } as const };
      return await SftpStore.open(settings, signal).then((store) => store.close());
    };
    await ask("Password: ");
    await expect(ask("Password: ", "Mother's name: ")).rejects.toMatchObject(REFUSED);
    expect(asked).toEqual([["staple"], []]);
  });
});
