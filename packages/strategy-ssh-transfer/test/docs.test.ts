import { execFile } from "node:child_process";
import { glob, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";

import { sshServer, SshSession } from "@ovault/ssh";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";

import { optionsSchema } from "../src/options.ts";
import { sudoersLines } from "../src/volumes/lvm-commands.ts";

const run = promisify(execFile);
const PACKAGES = fileURLToPath(new URL("../..", import.meta.url));
const page = await readFile(join(PACKAGES, "../docs/ssh-transfer.md"), "utf8");

/** The blocks of code of the page in a language, without their indentation. */
function blocks(language: string): readonly string[] {
  return [...page.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , written]) => written === language)
    .map(([, indentation = "", , text = ""]) => text.replaceAll(new RegExp(`^${indentation}`, "gm"), "").trimEnd());
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-docs-"));
});
afterAll(() => rm(directory, { recursive: true }));

test("every configuration on the page is accepted", () => {
  const texts = blocks("yaml");
  expect(texts.length).toBeGreaterThanOrEqual(3);
  for (const text of texts) {
    const { strategies }: { strategies: Record<string, unknown> } = parse(text);
    expect(Object.keys(strategies)).toEqual(["ssh-transfer"]);
    expect(() => optionsSchema.parse(strategies["ssh-transfer"])).not.toThrow();
  }
});

test("the lines for sudoers are those that the commands need", async () => {
  const [text = ""] = blocks("sudoers");
  expect(text).toBe(sudoersLines("ovault").join("\n"));
});

test("visudo accepts the lines for sudoers", async ({ skip }) => {
  const file = join(directory, "sudoers");
  await writeFile(file, `${blocks("sudoers").join("\n")}\n`, { mode: 0o440 });
  const [check = ""] = /visudo -cf/.exec(page) ?? [];
  const [program = "", ...args] = check.split(" ");
  const answer = await run(program, [...args, file], { env: { PATH: `${process.env["PATH"]}:/usr/sbin` } }).catch(
    (error: NodeJS.ErrnoException) => error,
  );
  if (answer instanceof Error && answer.code === "ENOENT") skip("visudo is not installed");
  expect(answer).toMatchObject({ stdout: expect.stringContaining("parsed OK") });
});

test("every message on the page is one that ovault has", async () => {
  const sources = await Array.fromAsync(
    glob("{ssh/src,strategy-ssh-transfer/src,ovirt/src/leftovers}/**/*.ts", { cwd: PACKAGES }),
  );
  const texts = await Promise.all(sources.map((file) => readFile(join(PACKAGES, file), "utf8")));
  const code = texts.join("\n").replaceAll(/\$\{[^}]*\}/g, "…");
  const [, table = ""] = page.split("## When something is wrong");
  const messages = [...table.matchAll(/^\| (`.*?`) +\|/gm)].flatMap(([, cell = ""]) =>
    cell.match(/(?<=`)[^`…]+(?=`)/g),
  );
  expect(messages.length).toBeGreaterThan(12);
  for (const message of messages) {
    const pattern = String(message).trim().replace("activate", "…").replace("qemu-nbd", "…");
    expect(code).toContain(pattern);
  }
});

test("the key that the page makes logs in", async () => {
  const make = blocks("sh").find((text) => text.startsWith("ssh-keygen -q")) ?? "";
  await run("sh", ["-ec", `mkdir -p ~/.ssh\n${make}`], { env: { ...process.env, HOME: directory } });
  const server = await OpenSshServer.start();
  try {
    await writeFile(join(server.home, "authorized_keys"), await readFile(join(directory, ".ssh/ovault.pub")));
    const key = await readFile(join(directory, ".ssh/ovault"), "utf8");
    const settings = { ...(await server.settings()), authentication: { by: "key", key } } as const;
    await using session = await SshSession.open(await sshServer(settings, 30_000), new AbortController().signal);
    const { stdout } = await session.run("echo logged in", [], { signal: new AbortController().signal });
    expect(stdout).toBe("logged in\n");
  } finally {
    await server.stop();
  }
});
