import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runOvault } from "./run-ovault.ts";

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-cli-lab-"));
});
afterAll(async () => {
  await runOvault(["lab", "stop", "--dir", "lab"], { cwd });
  await rm(cwd, { recursive: true, force: true });
});

describe("lab start", () => {
  test.each([
    [["--vm", "web01"], /--vm web01 is not NAME=IMAGE/],
    [["--vm", "web01=none.qcow2"], /none\.qcow2 cannot be read/],
    [["--vm", "web01=none.qcow2", "--detach"], /^ovault: the image .*none\.qcow2 cannot be read/],
    [["--down", "web01"], /--down web01: there is no --vm of that name/],
    [["--port", "99999"], /'99999' is invalid/],
    [["--engine-version", "4.9"], /'4.9' is invalid/],
    [["--imageio-url", "https://127.0.0.1:1"], /belong together/],
  ])("with %j is a usage error", async (options, message) => {
    const { exitCode, stderr } = await runOvault(["lab", "start", "--dir", "lab", ...options], { cwd });
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
  });

  test("--detach returns when everything answers, and a second start is refused", async () => {
    const options = ["lab", "start", "--dir", "lab", "--detach", "--engine-version", "4.4", "--product", "olvm"];
    const started = await runOvault([...options, "--json"], { cwd });
    expect(started.exitCode).toBe(0);
    expect(JSON.parse(started.stdout)).toMatchObject({ engineVersion: "4.4", product: "olvm", vms: [] });
    const vms = await runOvault(["vms", "--config", join("lab", "ovault.yaml"), "--json"], { cwd });
    expect(vms).toMatchObject({ exitCode: 0, stdout: "[]\n" });
    const second = await runOvault(options, { cwd });
    expect(second.stderr).toContain("already");
    expect(second.exitCode).toBe(2);
  });

  test("a fault that does not exist is answered with those that do", async () => {
    const { exitCode, stderr } = await runOvault(["lab", "fault", "--dir", "lab", "none"], { cwd });
    expect(stderr).toContain("transfer-cut");
    expect(exitCode).toBe(2);
  });
});

test("working with a lab that does not run says how to start one", async () => {
  const { exitCode, stderr } = await runOvault(["lab", "status", "--dir", "nowhere"], { cwd });
  expect(stderr).toContain("ovault lab start");
  expect(exitCode).toBe(2);
});
