import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";

import { ConfigurationError, secretReference } from "@ovault/contract";
import { Redactor, resolveSecret, validate } from "@ovault/core";

let baseDirectory: string;
beforeAll(async () => {
  baseDirectory = await mkdtemp(join(tmpdir(), "ovault-secrets-"));
});
afterAll(() => rm(baseDirectory, { recursive: true, force: true }));

const origin = { file: "ovault.yaml", path: ["managers", "prod"], lineOf: () => undefined };

describe("a secret reference", () => {
  test("takes an environment variable, a file or a command", async () => {
    vi.stubEnv("OVAULT_TEST_SECRET", "from env");
    expect(await resolveSecret({ env: "OVAULT_TEST_SECRET" }, { baseDirectory })).toBe("from env");
    await writeFile(join(baseDirectory, "secret"), "from file\n", { mode: 0o600 });
    expect(await resolveSecret({ file: "secret" }, { baseDirectory })).toBe("from file");
    expect(await resolveSecret({ command: ["cat", "secret"] }, { baseDirectory })).toBe("from file");
    vi.unstubAllEnvs();
  });

  test("written out is refused with the forms there are, and never echoed", () => {
    const schema = z.strictObject({ password: secretReference });
    const check = () => validate(schema, { password: "hunter2-hunter2" }, origin);
    expect(check).toThrow(/managers\.prod\.password: a secret is never written here.*\{ env: NAME \}/);
    expect(check).not.toThrow(/hunter2/);
  });

  test("to a named pipe is refused at once; one that a shell opened is read", async () => {
    const file = join(baseDirectory, "pipe");
    execFileSync("mkfifo", ["-m", "600", file]);
    const message = expect.stringContaining("it is a named pipe, not a file");
    await expect(resolveSecret({ file }, { baseDirectory })).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      cause: expect.objectContaining({ message }),
    });
    const [reader, writer] = await Promise.all([open(file, "r"), open(file, "w")]);
    const secret = resolveSecret({ file: `/dev/fd/${reader.fd}` }, { baseDirectory });
    await setTimeout(100);
    await writer.writeFile("from a shell\n");
    await writer.close();
    expect(await secret).toBe("from a shell");
    await reader.close();
  });

  test("to a file that every user can read is refused", async () => {
    const file = join(baseDirectory, "open");
    await writeFile(file, "s3cret");
    await chmod(file, 0o644);
    await expect(resolveSecret({ file }, { baseDirectory })).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      hint: `chmod 600 ${file}`,
    });
  });

  test.each([
    ["an unset variable", { env: "OVAULT_TEST_UNSET" }],
    ["a missing file", { file: "none" }],
    ["a missing program", { command: ["/nowhere/program"] }],
    ["a command without output", { command: ["true"] }],
  ])("to %s is a configuration error", async (_, reference) => {
    await expect(resolveSecret(reference, { baseDirectory })).rejects.toBeInstanceOf(ConfigurationError);
  });

  test.each([
    ["a byte order mark", "\uFEFFs3cret"],
    ["a line break of Windows", "s3cret\r\n"],
    ["what a shell leaves of one", "s3cret\r"],
    ["both", "\uFEFFs3cret\r\n"],
  ])("means the same with %s around it, from a file, the environment and a command", async (_, written) => {
    const file = join(baseDirectory, "windows");
    await writeFile(file, written, { mode: 0o600 });
    vi.stubEnv("OVAULT_TEST_SECRET", written);
    for (const reference of [{ file }, { env: "OVAULT_TEST_SECRET" }, { command: ["cat", file] }]) {
      expect(await resolveSecret(reference, { baseDirectory })).toBe("s3cret");
    }
    vi.unstubAllEnvs();
  });

  test("keeps everything else that it holds", async () => {
    const file = join(baseDirectory, "any");
    const anything = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/^\uFEFF|[\0\r\n]/.test(text));
    await fc.assert(
      fc.asyncProperty(anything, fc.constantFrom("", "\n", "\r\n", "\r"), async (secret, end) => {
        await writeFile(file, `\uFEFF${secret}${end}`, { mode: 0o600 });
        expect(await resolveSecret({ file }, { baseDirectory })).toBe(secret);
        await writeFile(file, `${secret}\n${secret}\n${end}`, { mode: 0o600 });
        expect(await resolveSecret({ file }, { baseDirectory })).toBe(`${secret}\n${secret}${end === "" ? "" : "\n"}`);
      }),
    );
  });

  test.each([
    ["UTF-16", Buffer.from("\uFEFFs3cret", "utf16le"), /NUL bytes, as UTF-16 does/],
    ["UTF-16 without a mark", Buffer.from("s3cret", "utf16le"), /NUL bytes/],
    ["Latin-1", Buffer.from("s3cr\u00E9t", "latin1"), /not text in UTF-8/],
    ["nothing", Buffer.from(""), /is empty/],
    ["a byte order mark alone", Buffer.from("\uFEFF\n"), /is empty/],
    ["more than any secret", Buffer.alloc(70_000, "s3cret"), /65536 bytes/],
  ])("to %s is refused with the reason, and never echoed", async (_, content, reason) => {
    const file = join(baseDirectory, "bad");
    await writeFile(file, content, { mode: 0o600 });
    for (const reference of [{ file }, { command: ["cat", file] }]) {
      const error: unknown = await resolveSecret(reference, { baseDirectory }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "E_CONFIGURATION", message: expect.stringMatching(reason) });
      expect(inspect(error, { depth: 9 })).not.toMatch(/s3cr/);
    }
  });

  test("that never ends is refused without being read for long", async () => {
    const began = performance.now();
    await expect(resolveSecret({ file: "/dev/zero" }, { baseDirectory })).rejects.toThrow(/more than 65536 bytes/);
    await expect(resolveSecret({ command: ["yes"] }, { baseDirectory })).rejects.toThrow(/wrote more than 65536 bytes/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("to a file that every user may write to is refused", async () => {
    const file = join(baseDirectory, "written");
    await writeFile(file, "s3cret");
    await chmod(file, 0o602);
    await expect(resolveSecret({ file }, { baseDirectory })).rejects.toMatchObject({ hint: `chmod go-w ${file}` });
  });

  test("whose command fails tells nothing of what it wrote", async () => {
    const error = await resolveSecret(
      { command: ["sh", "-c", "printf 's3%s' cret-out; printf 's3%s' cret-err >&2; exit 3"] },
      { baseDirectory },
    ).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(inspect(error, { depth: 9 })).not.toContain("s3cret");
  });
});

describe("the redactor", () => {
  test("lets no known secret through, in plain, URL-encoded, Base64 or JSON form", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 30 }), (secret) => {
        fc.pre(/^[^•]*$/u.test(secret) && secret.isWellFormed());
        const redactor = new Redactor();
        redactor.add(secret);
        for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")]) {
          expect(redactor.redact(`<<${form}>>`)).not.toContain(form);
        }
        expect(redactor.redact(JSON.stringify({ text: secret }))).not.toContain(JSON.stringify(secret).slice(1, -1));
      }),
    );
  });

  test.each([
    ["Authorization: Bearer abc.def", "Authorization: Bearer •••"],
    ["password=hunter2&x=1", "password=•••&x=1"],
    ['{"access_token": "hunter2"}', '{"access_token": "•••"}'],
    ["https://admin:hunter2@engine/", "https://admin:•••@engine/"],
    ["https://host1:54322/images/0f4a1b7e/extents", "https://host1:54322/images/•••/extents"],
  ])("masks credentials by their form: %s", (text, masked) => {
    expect(new Redactor().redact(text)).toBe(masked);
  });

  test("masks a key of several lines as a whole, and line by line", () => {
    const redactor = new Redactor();
    redactor.add("-----BEGIN KEY-----\nabc\ns3cret-line\r\n-----END KEY-----");
    expect(redactor.redact("<-----BEGIN KEY-----\nabc\ns3cret-line\r\n-----END KEY----->")).toBe("<•••>");
    expect(redactor.redact("line 2: s3cret-line")).toBe("line 2: •••");
  });

  test("leaves innocent text alone", () => {
    const redactor = new Redactor();
    redactor.add("a");
    const text =
      "a backup of web01 took 3 s; its volume is /rhev/data-center/x/images/0f4a1b7e/53d1; managers.prod.password: is missing";
    expect(redactor.redact(text)).toBe(text);
  });
});
