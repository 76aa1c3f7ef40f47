import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { startLab, type Lab } from "@ovault/lab";
import { run } from "@ovault/test-support/commands";
import { freePort } from "@ovault/test-support/free-port";
import { runOvault } from "@ovault/test-support/ovault/run-ovault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";

const UUID_LENGTH = 36;
const LAUNCHER = fileURLToPath(new URL("../bin/ovault.js", import.meta.url));

describe("a node of an engine 3.6", () => {
  let cwd: string;
  let lab: Lab;
  let server: ChildProcess | undefined;
  let port: number;
  let image: string;
  const domains = async () => (await readdir(join(cwd, "staging"))).filter((name) => name.length === UUID_LENGTH);
  const ovault = (...args: readonly string[]) => runOvault(args, { cwd });

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), "ovault-export-"));
    port = await freePort();
    image = join(cwd, "web.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "16M"]);
    await run("qemu-io", ["-f", "qcow2", "-c", "write -P 7 1M 3M", image]);
    const vms = [{ name: "web", images: [image] }];
    lab = await startLab({ directory: join(cwd, "lab"), engineVersion: "3.6", vms, delayMs: 1 });
  });
  afterAll(async () => {
    server?.kill();
    await lab.stop();
    await rm(cwd, { recursive: true, force: true });
  });

  test.each(["/ovirt-engine/api", "/ovirt-engine", "", "/api", "/ovirt-engine/api/v3", "/api/v3"])(
    "is set up with the URL ending in %j, and the doctor asks for no image transfers",
    async (path) => {
      const url = `${new URL(lab.url).origin}${path}`;
      await rm(join(cwd, "ovault.yaml"), { force: true });
      const engine = ["--url", url, "--user", lab.user, "--password", "file:password", "--ca-file", lab.caFile];
      await writeFile(join(cwd, "password"), lab.password, { mode: 0o600 });
      const made = await ovault("init", ...engine, "--destination", "backup", "--json");
      expect(made).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(made.stdout)).toMatchObject({ manager: { url, product: expect.stringContaining("3.6") } });
      const doctor = await ovault("doctor", "--json");
      expect(JSON.parse(doctor.stdout)).toContainEqual({
        name: "engine: rights and data path",
        status: "skip",
        detail: "image transfers came with oVirt 4.0.4",
        hint: null,
      });
      expect(doctor.exitCode).toBe(0);
    },
  );

  test("names the missing folder, and then what the kernel's NFS server has to export", async () => {
    expect(await ovault("export-domain", "setup")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/names no folder[^]*hint: Add `strategies:/),
    });
    const configuration = parse(await readFile(join(cwd, "ovault.yaml"), "utf8"));
    const strategies = { "export-domain": { staging: "staging" } };
    await writeFile(join(cwd, "ovault.yaml"), stringify({ ...configuration, strategies }));
    const printed = await ovault("export-domain", "setup", "--print");
    const folder = join(cwd, "staging");
    expect(printed.stdout).toMatch(new RegExp(`^install -d .*-m 0755 ${folder}$`, "m"));
    expect(printed.stdout).toMatch(
      new RegExp(String.raw`^${folder} 127\.0\.0\.1\(rw,sync,insecure,all_squash,anonuid=\d+,anongid=\d+\)$`, "m"),
    );
    expect(printed.stdout).toContain("no encryption");
    expect(await ovault("export-domain", "setup", "--print", "--port", "1")).toMatchObject({ exitCode: 2 });
  });

  test("exports its folder, and makes and shows the export domain", async () => {
    const of = ["--port", String(port)];
    expect(await ovault("export-domain", "setup", ...of)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/nothing answers[^]*ovault export-domain serve/),
    });
    const serving = spawn(process.execPath, [LAUNCHER, "export-domain", "serve", ...of], {
      cwd,
      stdio: ["ignore", "pipe", "inherit"],
    });
    server = serving;
    const [line]: unknown[] = await once(serving.stdout, "data");
    expect(String(line)).toContain(`serving ${join(cwd, "staging")} at port ${port}`);

    const made = await ovault("export-domain", "setup", ...of, "--json");
    expect(JSON.parse(made.stdout)).toMatchObject([{ dataCenter: "Default", exportDomain: "ovault-export" }]);
    expect((await ovault("export-domain", "setup")).stdout).toContain("ovault-export was all there already");
    const status = await ovault("export-domain", "status");
    expect(status).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/Default .*ovault-export .*ready/) });
  });

  test("leaves for an engine 4.5 with what it backed up, byte for byte", async () => {
    const [taken] = JSON.parse((await ovault("backup", "web", "--json")).stdout);
    expect(taken).toMatchObject({ point: { strategy: "export-domain" }, error: null });
    const next = await startLab({ directory: join(cwd, "next"), engineVersion: "4.5", delayMs: 1 });
    try {
      const configuration = parse(await readFile(join(cwd, "ovault.yaml"), "utf8"));
      await writeFile(join(cwd, "next-password"), next.password, { mode: 0o600 });
      const access = { url: next.url, user: next.user, password: { file: "next-password" }, ca: { file: next.caFile } };
      configuration.managers.next = { type: "ovirt", ...access };
      configuration.defaults = { manager: "engine" };
      await writeFile(join(cwd, "ovault.yaml"), stringify(configuration));
      const restored = await ovault(
        "restore",
        "web@latest",
        "--as",
        "web",
        "--manager",
        "next",
        "--mac",
        "keep",
        "--json",
      );
      expect(JSON.parse(restored.stdout)).toMatchObject({ manager: "next", lost: [], warnings: [] });
      const view = join(cwd, "view.raw");
      await next.view(next.vms[0]?.disks[0]?.id ?? "", view);
      const compared = await run("qemu-img", ["compare", "-f", "qcow2", "-F", "raw", image, view]);
      expect(compared).toContain("Images are identical");
    } finally {
      await next.stop();
    }
  });

  test("is killed at any moment, and goes on: nothing is lost, nothing is doubled", { timeout: 120_000 }, async () => {
    const ARGUMENTS = { remove: [], setup: ["--port", String(port)] } as const;
    const LEFT = { remove: 0, setup: 1 } as const;
    const begin = (command: keyof typeof LEFT) =>
      spawn(process.execPath, [LAUNCHER, "export-domain", command, ...ARGUMENTS[command]], { cwd, stdio: "ignore" });
    const lastsMs = { remove: 0, setup: 0 };
    for (const share of [1, 0.6, 0.75, 0.85, 0.95]) {
      for (const command of ["remove", "setup"] as const) {
        const start = performance.now();
        const process = begin(command);
        const exited = once(process, "exit");
        // The first time it runs to its end.
        if (share < 1) {
          await sleep(lastsMs[command] * share);
          process.kill("SIGKILL");
        }
        await exited;
        lastsMs[command] ||= performance.now() - start;
        const again = await ovault("export-domain", command, ...ARGUMENTS[command]);
        expect(again, `${command} ${share}: ${again.stderr}`).toMatchObject({ exitCode: 0 });
        expect(await domains()).toHaveLength(LEFT[command]);
      }
    }
    expect(await ovault("export-domain", "status")).toMatchObject({ exitCode: 0 });
  });

  test("removes the export domain, which nothing lies in, and ends its server", async () => {
    expect(await ovault("export-domain", "remove")).toMatchObject({ exitCode: 0 });
    expect((await ovault("export-domain", "remove")).stdout).toContain("the engine has no export domain");
    expect(await ovault("export-domain", "status")).toMatchObject({ exitCode: 8 });
    const exited = once(server ?? process, "exit");
    server?.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});
