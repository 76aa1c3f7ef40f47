import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import type { LabStatus } from "@ovault/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";

import { runOvault } from "@ovault/test-support/ovault/run-ovault";

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-cli-lab-"));
});
afterAll(async () => {
  for (const lab of ["lab", "ready", "staging", "imageio", "hosts"])
    await runOvault(["lab", "stop", "--dir", lab], { cwd });
  await rm(cwd, { recursive: true, force: true });
});

describe("lab start", () => {
  test.each([
    [["--vm", "web01"], /--vm web01 is not NAME=IMAGE/],
    [["--vm", "web01=none.qcow2"], /none\.qcow2 cannot be read/],
    [["--vm", "web01=none.qcow2", "--detach"], /^ovault: the image .*none\.qcow2 cannot be read/],
    [["--down", "web01"], /--down web01: there is no --vm of that name/],
    [["--cluster", "a@b@c"], /--cluster a@b@c is not NAME\[@DATA-CENTER\]/],
    [["--vnic-profile", "@net"], /--vnic-profile @net is not NAME@NETWORK/],
    [["--vnic-profile", "fast@nowhere"], /there is no network nowhere in data centre Default/],
    [["--port", "99999"], /'99999' is invalid/],
    [["--engine-version", "4.9"], /'4.9' is invalid/],
    [["--imageio-url", "https://127.0.0.1:1"], /belong together/],
  ])("with %j is a usage error", async (options, message) => {
    const { exitCode, stderr } = await runOvault(["lab", "start", "--dir", "lab", ...options], { cwd });
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
  });

  test("--detach returns when everything answers, and a second start is refused", async () => {
    const options = ["lab", "start", "--dir", "lab", "--detach", "--no-proxy", "--engine-version", "4.4"].concat(
      "--product",
      "olvm",
    );
    const started = await runOvault([...options, "--json"], { cwd });
    expect(started.exitCode).toBe(0);
    expect(JSON.parse(started.stdout)).toMatchObject({ engineVersion: "4.4", product: "olvm", vms: [] });
    const vms = await runOvault(["vms", "--config", join("lab", "ovault.yaml"), "--json"], { cwd });
    expect(vms).toMatchObject({ exitCode: 0, stdout: "[]\n" });
    const second = await runOvault(options, { cwd });
    expect(second.stderr).toContain("already");
    expect(second.exitCode).toBe(2);
  });

  test("makes a proxy that the configuration is ready to use, and does not make another one later", async () => {
    const options = ["lab", "start", "--dir", "ready", "--detach", "--json"];
    const started = await runOvault(options, { cwd });
    expect(started).toMatchObject({ exitCode: 0, stderr: "" });
    const proxy = { name: "ovault-proxy", status: "up", disks: [{ virtualBytes: 16 * 1024 ** 2 }] };
    expect(JSON.parse(started.stdout)).toMatchObject({ vms: [proxy], warnings: [] });
    expect(await readdir(join(cwd, "ready", "devices"))).toHaveLength(1);
    expect(parse(await readFile(join(cwd, "ready", "ovault.yaml"), "utf8"))).toMatchObject({
      strategies: {
        "disk-attachment": { proxyVm: "ovault-proxy", deviceDirectory: "devices" },
        "ssh-transfer": { login: { privateKey: "hosts/login-key" } },
      },
    });
    await runOvault(["lab", "stop", "--dir", "ready"], { cwd });
    expect(await readdir(join(cwd, "ready", "devices"))).toEqual([]);
    const again = await runOvault(options, { cwd });
    expect(JSON.parse(again.stdout)).toMatchObject({ vms: [proxy] });
  });

  test("serves staging folders of engines up to 4.3, which the configuration names", async () => {
    const options = ["--engine-version", "3.6", "--no-proxy", "--cluster", "north@North", "--detach", "--json"];
    const started = await runOvault(["lab", "start", "--dir", "staging", ...options], { cwd });
    expect(started).toMatchObject({ exitCode: 0, stderr: "" });
    const folder = join(cwd, "staging", "staging", "North");
    expect(JSON.parse(started.stdout)).toMatchObject({
      staging: [{ dataCenter: "Default" }, { dataCenter: "North", exportDomain: "staging-North", folder }],
      warnings: [],
    });
    expect(parse(await readFile(join(cwd, "staging", "ovault.yaml"), "utf8"))).toMatchObject({
      strategies: { "export-domain": { staging: "staging", dataCenters: { North: { folder: "staging/North" } } } },
    });
    const { stdout } = await runOvault(["lab", "status", "--dir", "staging"], { cwd });
    expect(stdout).toContain(`${folder}, export domain staging-North`);
  });

  test("hands tickets to the configured imageio daemon", async () => {
    const tickets: string[] = [];
    const daemon = createServer((call, response) => {
      tickets.push(`${call.method} ${call.url}`);
      response.end("{}");
    });
    daemon.listen(join(cwd, "imageio.sock"));
    await once(daemon, "listening");
    try {
      const imageio = ["--imageio-control", "imageio.sock", "--imageio-url", "https://imageio.test:54322"];
      const start = ["lab", "start", "--dir", "imageio", "--detach", "--json", "--no-proxy", ...imageio];
      const lab: LabStatus = JSON.parse((await runOvault(start, { cwd })).stdout);
      const disk = await callEngine(lab, "POST", "/disks", NEW_DISK);
      const diskId = idOf(disk);
      await expect.poll(() => callEngine(lab, "GET", `/disks/${diskId}`), { timeout: 20_000 }).toContain("<status>ok");
      const transfer = idOf(
        await callEngine(lab, "POST", "/imagetransfers", `<image_transfer><disk id="${diskId}"/></image_transfer>`),
      );
      const shown = () => callEngine(lab, "GET", `/imagetransfers/${transfer}`);
      await expect.poll(shown, { timeout: 20_000 }).toContain("https://imageio.test:54322/images/");
      expect(tickets[0]).toMatch(/^PUT \/tickets\//);
    } finally {
      await runOvault(["lab", "stop", "--dir", "imageio"], { cwd });
      daemon.close();
    }
  });

  test("a fault that does not exist is answered with those that do", async () => {
    const { exitCode, stderr } = await runOvault(["lab", "fault", "--dir", "lab", "none"], { cwd });
    expect(stderr).toContain("transfer-cut");
    expect(exitCode).toBe(2);
  });
});

test("a lab has the hosts that are asked for, and changes them", async () => {
  const image = join(cwd, "root.raw");
  await writeFile(image, Buffer.alloc(4096));
  const start = ["lab", "start", "--dir", "hosts", "--detach", "--json", "--no-proxy"];
  const wanted = ["--cluster", "spare", "--host", "kvm2", "--host", "kvm3@spare", "--vm", `web=${image}`];
  const lab: LabStatus = JSON.parse((await runOvault([...start, ...wanted], { cwd })).stdout);
  expect(lab.hosts.map(({ name, cluster }) => `${name}@${cluster}`)).toEqual([
    "lab-host@Default",
    "spare-host@spare",
    "kvm2@Default",
    "kvm3@spare",
  ]);
  const moved = await runOvault(["lab", "migrate", "--dir", "hosts", "web", "--json"], { cwd });
  expect(JSON.parse(moved.stdout)).toEqual({ vm: "web", host: "kvm2" });
  await runOvault(["lab", "host", "--dir", "hosts", "lab-host", "maintenance"], { cwd });
  const listed = (await runOvault(["lab", "host", "--dir", "hosts"], { cwd })).stdout.split("\n");
  expect(listed.find((line) => line.startsWith("lab-host"))).toContain("maintenance");
  expect(listed.find((line) => line.startsWith("kvm2"))).toMatch(/@127\.0\.0\.1:\d+ .*web$/);
  const nowhere = await runOvault(["lab", "migrate", "--dir", "hosts", "web"], { cwd });
  expect(nowhere.stderr).toContain("There is no host");
  expect((await runOvault(["lab", "host", "--dir", "hosts", "kvm2", "explode"], { cwd })).exitCode).toBe(2);
});

test("working with a lab that does not run says how to start one", async () => {
  const { exitCode, stderr } = await runOvault(["lab", "status", "--dir", "nowhere"], { cwd });
  expect(stderr).toContain("ovault lab start");
  expect(exitCode).toBe(2);
});

test("the configuration of a lab says where it is", async () => {
  const config = join(cwd, "lab", "ovault.yaml");
  const env = { OVAULT_CONFIG: config };
  const status = await runOvault(["lab", "status", "--json"], { cwd, env });
  expect(status.stderr).toBe("");
  expect(JSON.parse(status.stdout)).toMatchObject({ directory: join(cwd, "lab") });
  expect((await runOvault(["lab", "fault"], { cwd, env })).exitCode).toBe(0);
  expect((await runOvault(["lab", "host", "--config", config], { cwd })).exitCode).toBe(0);
  expect((await runOvault(["lab", "start", "--detach"], { cwd, env })).stderr).toContain("already");
  await writeFile(join(cwd, "ovault.yaml"), "destinations: {}");
  const other = await runOvault(["lab", "status"], { cwd });
  expect(other).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--dir is missing") });
});

const NEW_DISK = "<disk><format>raw</format><provisioned_size>1048576</provisioned_size></disk>";

/** One call of the lab's API; answers with its text. */
async function callEngine(
  { url, user, caFile, directory }: LabStatus,
  method: string,
  path: string,
  body = "",
): Promise<string> {
  const password = await readFile(join(directory, "lab-password"), "utf8");
  const headers = { accept: "application/xml", "content-type": "application/xml" };
  const options = { method, headers, auth: `${user}:${password}`, ca: await readFile(caFile) };
  return new Promise((resolve, reject) => {
    const call = request(`${url}${path}`, options, (response) => text(response).then(resolve, reject));
    call.on("error", reject);
    call.end(body);
  });
}

function idOf(xml: string): string {
  return / id="([^"]+)"/.exec(xml)?.[1] ?? "";
}
