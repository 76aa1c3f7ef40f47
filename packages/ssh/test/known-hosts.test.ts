import { randomBytes } from "node:crypto";
import { appendFile, chmod, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";

import { connectSsh, HostKeyError, type ServerSettings, sshServer } from "@ovault/ssh";
import { run } from "@ovault/test-support/commands";
import { type HostKeyType, newKey, OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { knownKeys } from "../src/known-hosts.ts";

const signal = new AbortController().signal;
const server = await OpenSshServer.start({ hostKeys: ["ed25519", "ecdsa", "rsa"] });
afterAll(() => server.stop());
const name = `[127.0.0.1]:${server.port}`;

/** `TYPE BASE64` of one of the server's keys. */
async function keyOf(type: HostKeyType): Promise<string> {
  return (await readFile(join(server.home, `host-${type}.pub`), "utf8")).split(" ").slice(0, 2).join(" ");
}

/** A key of that type that the server does not have. */
async function otherKey(type: HostKeyType = "ed25519"): Promise<string> {
  const file = join(await temporaryDirectory(), "key");
  await newKey(file, type);
  return (await readFile(`${file}.pub`, "utf8")).split(" ").slice(0, 2).join(" ");
}

async function fileOf(...lines: readonly string[]): Promise<string> {
  const file = join(await temporaryDirectory(), "known_hosts");
  await writeFile(file, lines.map((line) => `${line}\n`).join(""));
  return file;
}

async function open(changes: Partial<ServerSettings>): Promise<"opened"> {
  const settings = { ...(await server.settings()), ...changes };
  const { socket } = await connectSsh(await sshServer(settings, 60_000), signal);
  socket.destroy();
  return "opened";
}

async function openWith(knownHosts: string): Promise<"opened"> {
  return await open({ trust: { knownHosts } });
}

function refused(message: string, hint: string): object {
  return {
    code: "E_HOST_KEY",
    retry: "never",
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
    context: expect.objectContaining({ fingerprint: expect.stringMatching(/^SHA256:/) }),
  };
}

describe("a server is known", () => {
  test.each<HostKeyType>(["ed25519", "ecdsa", "rsa"])(
    "by a key of type %s, though it has others that the file lacks",
    async (type) => {
      expect(await openWith(await fileOf(`${name} ${await keyOf(type)}`))).toBe("opened");
    },
  );

  test("by one of several keys, with comments, empty lines and lines that are none around it", async () => {
    const right = await keyOf("ed25519");
    const lines = [
      "# a comment",
      "",
      name,
      "junk junk junk",
      `${name} ${await otherKey()}`,
      `${name} ${right} me@here`,
    ];
    expect(await openWith(await fileOf(...lines))).toBe("opened");
  });

  test("by a hashed name, as ssh-keygen -H makes it", async () => {
    const file = await fileOf(`${name} ${await keyOf("ed25519")}`);
    await run("ssh-keygen", ["-q", "-H", "-f", file]);
    expect(await readFile(file, "utf8")).toMatch(/^\|1\|/);
    expect(await openWith(file)).toBe("opened");
  });

  test("by its bare name too, where no key is known for the port", async () => {
    expect(await openWith(await fileOf(`127.0.0.1 ${await keyOf("ed25519")}`))).toBe("opened");
  });

  test("by what ssh-keyscan writes, which is the command that the error names", async () => {
    const file = await fileOf();
    const failure: unknown = await openWith(file).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HostKeyError);
    const command = failure instanceof HostKeyError ? /ssh-keyscan .*/.exec(failure.hint ?? "")?.[0] : undefined;
    await run("sh", ["-c", command ?? "false"]);
    expect(await openWith(file)).toBe("opened");
  });

  test("by its fingerprint, without any file", async () => {
    expect(await open({ trust: { fingerprint: await server.fingerprint() } })).toBe("opened");
  });
});

describe("a server is refused before anything is sent to it", () => {
  test("when no file knows it", async () => {
    const file = join(await temporaryDirectory(), "absent");
    const unknown = refused(await server.fingerprint(), `>> ${file}`);
    await expect(openWith(file)).rejects.toMatchObject(unknown);
    const foreign = await fileOf(
      `[127.0.0.1]:1 ${await keyOf("ed25519")}`,
      `*,!${name},!127.0.0.1 ${await keyOf("ed25519")}`,
    );
    await expect(openWith(foreign)).rejects.toMatchObject(refused("does not have its key", "ssh-keyscan"));
  });

  test("when its key is another one than the known one", async () => {
    const file = await fileOf(`${name} ${await otherKey()}`);
    await expect(openWith(file)).rejects.toMatchObject(refused("is not the one", `ssh-keygen -f ${file} -R '${name}'`));
  });

  test("when another key is known for the port, though the right one is for the bare name", async () => {
    const file = await fileOf(`${name} ${await otherKey()}`, `127.0.0.1 ${await keyOf("ed25519")}`);
    await expect(openWith(file)).rejects.toMatchObject(refused("is not the one", "Another machine may be in between"));
  });

  test("when its key is revoked, for all hosts or for it, though it is known", async () => {
    const key = await keyOf("ed25519");
    for (const names of ["*", name, "127.0.0.1"]) {
      const file = await fileOf(`@revoked ${names} ${key}`, `${name} ${key}`);
      await expect(openWith(file)).rejects.toMatchObject(refused("revoked", "new key"));
    }
  });

  test("when only a certificate authority is known for it", async () => {
    const file = await fileOf(`@cert-authority * ${await otherKey()}`);
    await expect(openWith(file)).rejects.toMatchObject(refused("certificates", "ssh-keyscan"));
    await appendFile(file, `${name} ${await keyOf("ed25519")}\n`);
    expect(await openWith(file)).toBe("opened");
  });

  test("when the fingerprint is not the pinned one", async () => {
    const fingerprint = `SHA256:${"A".repeat(43)}`;
    const actual = await server.fingerprint();
    await expect(open({ trust: { fingerprint } })).rejects.toMatchObject(refused(fingerprint, actual));
  });
});

describe("the file of known hosts", () => {
  test("is refused where it is absurdly large, has no end, is not UTF-8, or every user may write to it", async () => {
    const entry = `${name} ${await keyOf("ed25519")}`;
    const large = await fileOf(entry);
    await truncate(large, 16 * 1024 * 1024 + 1);
    const writable = await fileOf(entry);
    await chmod(writable, 0o666);
    const binary = await fileOf(entry);
    await appendFile(binary, Uint8Array.of(0xff));
    for (const [file, reason] of [
      [large, "has more than 16777216 bytes"],
      ["/dev/zero", "has more than 16777216 bytes"],
      [writable, "is writable by every user of this machine"],
      [binary, "is not text in UTF-8"],
    ] as const) {
      await expect(openWith(file)).rejects.toMatchObject({ code: "E_SSH", message: expect.stringContaining(reason) });
    }
    await expect(openWith("/dev/null")).rejects.toMatchObject({ code: "E_HOST_KEY" });
  });

  test.each([
    ["example.com", "example.com", true],
    ["EXAMPLE.com", "example.com", true],
    ["example.com", "[example.com]:2222", false],
    ["[example.com]:2222", "[example.com]:2222", true],
    ["*.com", "example.com", true],
    ["ex?mple.com", "example.com", true],
    ["*.com,!example.com", "example.com", false],
    ["a,b,example.com", "example.com", true],
    ["example", "example.com", false],
    ["**a*m", "example.com", true],
    ["|1|broken", "example.com", false],
    ["|2|AAAA|AAAA", "example.com", false],
  ])("names %s fit %s: %s", async (names, host, fits) => {
    expect(knownKeys(`${names} ${await keyOf("ed25519")}`, host).keys.length > 0).toBe(fits);
  });

  test("is never a reason to fail or to hang, whatever is in it", async () => {
    const word = fc.oneof(
      fc.constantFrom(
        "@revoked",
        "@cert-authority",
        "|1|",
        "ssh-ed25519",
        "AAAAC3NzaC1lZDI1NTE5",
        "*".repeat(40),
        "\r",
        "\t",
      ),
      fc.string(),
    );
    const line = fc.array(word, { maxLength: 5 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), fc.string(), (lines, host) => {
        const { keys, revoked } = knownKeys(lines.join("\n"), host);
        expect(keys.length + revoked.length).toBeLessThanOrEqual(lines.join("\n").split("\n").length);
      }),
      { numRuns: 200 },
    );
    expect(knownKeys(`${"*a".repeat(2000)} ${await keyOf("ed25519")}`, "a".repeat(1000)).keys).toEqual([]);
  });

  test("knows each key that ssh-keygen finds in it, hashed or not", async () => {
    const hosts = ["a.example", "b.example", "[a.example]:2222", "10.0.0.1"];
    const file = await fileOf(...(await Promise.all(hosts.map(async (host) => `${host} ${await otherKey()}`))));
    const plain = await readFile(file, "utf8");
    await run("ssh-keygen", ["-q", "-H", "-f", file]);
    const hashed = await readFile(file, "utf8");
    for (const host of [...hosts, "c.example", randomBytes(4).toString("hex")]) {
      expect(knownKeys(hashed, host)).toEqual(knownKeys(plain, host));
      expect(knownKeys(hashed, host).keys).toHaveLength(hosts.includes(host) ? 1 : 0);
    }
  });
});
