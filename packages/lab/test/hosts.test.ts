import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import type { XmlNode } from "../src/engine/xml/read-xml.ts";
import { connectLab, labConfiguration, openSsh74, startLab, type Lab, type LabHostStatus } from "../src/index.ts";
import { EngineClient } from "./support/engine-client.ts";
import { MIB, withImages, withLab } from "./support/lab-fixture.ts";

const run = promisify(execFile);

function hostOf({ hosts }: Pick<Lab, "hosts">, name = "lab-host"): LabHostStatus {
  const host = hosts.find((one) => one.name === name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

/** Logs in as a client that trusts no key but this one, and runs a command. */
async function ssh(
  lab: Pick<Lab, "hosts" | "loginKey" | "directory">,
  command: string,
  { host = "lab-host", publicKey }: { host?: string; publicKey: string },
): Promise<string> {
  const { ssh: server } = hostOf(lab, host);
  if (server === undefined) throw new Error(`${host} has no SSH`);
  const { address, port, user } = server;
  const options = [
    `KnownHostsCommand=/bin/echo [${address}]:${port} ${publicKey}`,
    "UserKnownHostsFile=none",
    "GlobalKnownHostsFile=none",
    "StrictHostKeyChecking=yes",
    "BatchMode=yes",
    "IdentitiesOnly=yes",
  ];
  const args = ["-F", "none", "-i", lab.loginKey, ...options.flatMap((option) => ["-o", option]), "-p", String(port)];
  return (await run("ssh", [...args, `${user}@${address}`, command])).stdout;
}

/** The key of the first host that the engine has on record. */
async function recordedKey(client: EngineClient): Promise<string> {
  return (await client.get("/hosts")).xml.text("host", "ssh", "public_key") ?? "";
}

test("a host lets in the lab's key, and proves itself with the key on record in the engine", async () => {
  await withLab({}, async ({ lab, client }) => {
    const host = (await client.get("/hosts")).xml.child("host");
    const publicKey = host?.text("ssh", "public_key") ?? "";
    expect(await ssh(lab, "echo in $((1 + 1))", { publicKey })).toBe("in 2\n");
    const other = publicKey.replace(/.{4}$/, "AAAA");
    await expect(ssh(lab, "true", { publicKey: other })).rejects.toThrow(/[Hh]ost key/);
    expect((await stat(lab.loginKey)).mode & 0o777).toBe(0o600);
  });
});

test("before 4.4.5 the engine records the fingerprint of a host's RSA key", async () => {
  await withLab({ engineVersion: "4.3" }, async ({ lab, client, directory }) => {
    const host = (await client.get("/hosts")).xml.child("host");
    const id = host?.attribute("id") ?? "";
    const { stdout } = await run("ssh-keygen", ["-lf", join(directory, "hosts", id, "host-rsa.pub")]);
    expect(host?.text("ssh", "fingerprint")).toBe(stdout.split(" ")[1]);
    expect(host?.text("ssh", "public_key")).toBeUndefined();
    expect(host?.text("ssh", "port")).toBe(String(hostOf(lab).ssh?.port));
  });
});

test("a host sees the volumes of its data centre, also a frozen one of a running machine", async () => {
  await withLab({}, async ({ lab, client }) => {
    const publicKey = await recordedKey(client);
    const [vm] = lab.vms;
    const frozen = vm?.disks[0]?.path ?? "";
    await client.post(
      `/vms/${vm?.id}/snapshots`,
      "<snapshot><persist_memorystate>false</persist_memorystate></snapshot>",
    );
    await client.until(`/vms/${vm?.id}/snapshots`, ({ xml }) =>
      xml.children("snapshot").every((snapshot) => snapshot.text("snapshot_status") === "ok"),
    );
    const active = lab.vms[0]?.disks[0]?.path ?? "";
    expect(active).not.toBe(frozen);
    const onHost = (path: string): string => join(lab.dataCenters, dataCenter, relative(storage, path));
    const dataCenter = (await client.get("/datacenters")).xml.child("data_center")?.attribute("id") ?? "";
    const storage = join(lab.directory, "storage");
    const info = async (path: string): Promise<unknown> =>
      JSON.parse(await ssh(lab, `qemu-img info -U --backing-chain --output=json ${onHost(path)}`, { publicKey }));
    expect(await info(frozen)).toMatchObject([{ format: "qcow2", "virtual-size": 8 * MIB }]);
    expect(await info(active)).toMatchObject([{ "backing-filename": basename(frozen) }, { format: "qcow2" }]);
    await expect(ssh(lab, `qemu-img info ${onHost(active)}`, { publicKey })).rejects.toThrow("lock");
  });
});

test("a lab that is started again keeps the keys and ports of its hosts", async () => {
  await withImages(async ({ directory: parent }) => {
    const directory = join(parent, "lab");
    const first = await startLab({ directory });
    const before = { ssh: hostOf(first).ssh, key: await readFile(first.loginKey, "utf8") };
    await first.stop();
    const again = await startLab({ directory });
    expect({ ssh: hostOf(again).ssh, key: await readFile(again.loginKey, "utf8") }).toEqual(before);
    await again.stop();
  });
});

test("machines run on a host, are placed on another, and migrate between those that are up", async () => {
  const hosts = [{ name: "kvm1" }, { name: "kvm2" }];
  await withLab({ inventory: { hosts } }, async ({ lab, client }) => {
    const web = (): string | undefined => lab.vms.find(({ name }) => name === "web")?.host;
    const idOf = (name: string): string => hostOf(lab, name).id;
    expect(web()).toBe("lab-host");
    await lab.migrate("web", "kvm2");
    const vm = lab.vms[0]?.id ?? "";
    expect((await client.get(`/vms/${vm}`)).xml.child("host")?.attribute("id")).toBe(idOf("kvm2"));
    await lab.changeHost("lab-host", "maintenance");
    await lab.migrate("web");
    expect(web()).toBe("kvm1");
    await lab.changeHost("kvm2", "non_responsive");
    await expect(lab.migrate("web")).rejects.toThrow("no host");
    expect((await client.get(`/hosts/${idOf("kvm1")}`)).xml).toSatisfy(
      (host: XmlNode) => host.text("spm", "status") === "spm" && host.text("summary", "active") === "1",
    );
    await lab.powerOff("web", { graceful: true });
    expect(web()).toBeUndefined();
    await lab.changeHost("kvm2", "up");
    await client.post(
      `/vms/${vm}/start`,
      `<action><vm><placement_policy><hosts><host id="${idOf("kvm2")}"/></hosts></placement_policy></vm></action>`,
    );
    await client.untilText(`/vms/${vm}`, "status", "up");
    expect(web()).toBe("kvm2");
    await client.post(`/vms/${vm}/migrate`, `<action><host><name>kvm1</name></host></action>`);
    await client.until(`/vms/${vm}`, ({ xml }) => xml.child("host")?.attribute("id") === idOf("kvm1"));
  });
});

test("a host that loses power takes its processes and machines along, and comes back", async () => {
  await withLab({}, async ({ lab, client }) => {
    const publicKey = await recordedKey(client);
    await ssh(lab, "(setsid sleep 1000 > /dev/null 2>&1 < /dev/null &)", { publicKey });
    expect((await lab.leftovers()).hostProcesses).toEqual(["sleep 1000"]);
    const cut = ssh(lab, "sleep 2000", { publicKey }).catch(String);
    const processes = async (): Promise<readonly string[]> => (await lab.leftovers()).hostProcesses;
    await expect.poll(processes, { timeout: 20_000 }).toContain("sleep 2000");
    await lab.changeHost("lab-host", "power-off");
    expect(await cut).toContain("closed");
    expect((await lab.leftovers()).hostProcesses).toEqual([]);
    expect(lab.vms[0]?.status).toBe("down");
    expect((await client.get("/hosts")).xml.text("host", "status")).toBe("non_responsive");
    await expect(ssh(lab, "true", { publicKey })).rejects.toThrow("refused");
    await lab.changeHost("lab-host", "power-on");
    expect(await ssh(lab, "echo back", { publicKey })).toBe("back\n");
    await lab.changeHost("lab-host", "new-key");
    await expect(ssh(lab, "true", { publicKey })).rejects.toThrow(/[Hh]ost key/);
  });
});

test("what a host has in /run goes with its power, and with the lab, also while it stands still", async () => {
  const name = `lab-test-${randomUUID()}`;
  const script = `
    for base in "/run/user/$(id -u)" /run; do mkdir "$base/${name}" 2>/dev/null && break; done
    echo $$ > "$base/${name}/pid"; echo "$base/${name}"; exec sleep 1000`;
  const hold = async (lab: Lab, publicKey: string): Promise<string> => {
    const before = (await lab.leftovers()).hostProcesses.length;
    void ssh(lab, script, { publicKey }).catch(() => undefined);
    await expect
      .poll(async () => (await lab.leftovers()).hostProcesses.length, { timeout: 20_000 })
      .toBeGreaterThan(before);
    const found = [`/run/user/${process.getuid?.()}`, "/run"].map((base) => join(base, name));
    await expect.poll(() => found.some((path) => existsSync(join(path, "pid")))).toBe(true);
    return found.find((path) => existsSync(path)) ?? "";
  };
  let held = "";
  await withLab({}, async ({ lab, client }) => {
    const publicKey = await recordedKey(client);
    held = await hold(lab, publicKey);
    await lab.changeHost("lab-host", "power-off");
    expect(existsSync(held)).toBe(false);
    await lab.changeHost("lab-host", "power-on");
    held = await hold(lab, publicKey);
    await lab.changeHost("lab-host", "suspend");
  });
  expect(existsSync(held)).toBe(false);
});

test("the engine powers a host off: it reports it down", async () => {
  await withLab({}, async ({ lab, client }) => {
    await lab.changeHost("lab-host", "fence");
    expect((await client.get("/hosts")).xml.text("host", "status")).toBe("down");
    expect(lab.vms[0]?.status).toBe("down");
    await lab.changeHost("lab-host", "power-on");
    expect((await client.get("/hosts")).xml.text("host", "status")).toBe("up");
  });
});

test("a host's connections stall and go on", async () => {
  await withLab({}, async ({ lab, client }) => {
    const publicKey = await recordedKey(client);
    await lab.changeHost("lab-host", "suspend");
    const late = ssh(lab, "echo late", { publicKey });
    expect(await Promise.race([late, sleep(300, "stalled")])).toBe("stalled");
    await lab.changeHost("lab-host", "resume");
    expect(await late).toBe("late\n");
  });
});

test("sshd settings, tools and noise of a host are as requested", async () => {
  const settings = {
    config: ["AllowTcpForwarding no", ...openSsh74],
    noise: "It's $HOME `here`",
    hiddenTools: ["qemu-nbd"],
    environment: { GREETING: 'a "b" \\c' },
  };
  await withLab({ inventory: { hosts: [{ name: "lab-host", ssh: settings }] } }, async ({ lab, client }) => {
    const publicKey = await recordedKey(client);
    const tools = hostOf(lab).ssh?.tools ?? "";
    await writeFile(join(tools, "nc"), "#!/bin/sh\necho own nc\n", { mode: 0o755 });
    const said = await ssh(lab, 'nc; command -v qemu-nbd || echo none; command -v qemu-img; echo "$GREETING"', {
      publicKey,
    });
    expect(said.split("\n").slice(-6)).toEqual(
      [
        ...(userInfo().shell?.endsWith("bash") === true ? [settings.noise] : []),
        "own nc",
        "none",
        expect.stringMatching(/^\/.*\/qemu-img$/),
        settings.environment.GREETING,
        "",
      ].slice(-6),
    );
  });
});

const canHideSshd = await run("unshare", ["--mount", "true"]).then(
  () => true,
  () => false,
);

test.skipIf(!canHideSshd)("without sshd a lab starts, says so, and configures no strategy that needs it", async () => {
  await withImages(async ({ directory: parent, cow }) => {
    const directory = join(parent, "lab");
    const hidden = 'mount --bind /dev/null /usr/sbin/sshd && exec "$@"';
    const lab = [process.execPath, join(import.meta.dirname, "support", "lab-process.ts"), directory, cow];
    const child = spawn("unshare", ["--mount", "sh", "-c", hidden, "sh", ...lab]);
    await once(child.stdout, "data");
    const status = await connectLab(directory).status();
    expect(status.warnings).toEqual(["hosts have no SSH: sshd is not installed (package openssh-server)"]);
    expect(status.hosts).toEqual([expect.not.objectContaining({ ssh: expect.anything() })]);
    expect(labConfiguration(status).strategies).toEqual({});
    await connectLab(directory).stop();
    const again = await startLab({ directory });
    expect(labConfiguration(again).strategies).toEqual({
      "ssh-transfer": {
        login: { user: userInfo().username, privateKey: "hosts/login-key" },
        dataCenterDirectory: join(directory, "rhev/data-center"),
      },
    });
    await again.stop();
  });
});

test("what a killed lab left running on its hosts ends when it is taken up", async () => {
  await withImages(async ({ directory: parent, cow }) => {
    const directory = join(parent, "lab");
    const child = spawn(process.execPath, [join(import.meta.dirname, "support", "lab-process.ts"), directory, cow]);
    await once(child.stdout, "data");
    const status = await connectLab(directory).status();
    const client = await EngineClient.open({
      ...status,
      password: await readFile(join(directory, "lab-password"), "utf8"),
    });
    const publicKey = await recordedKey(client);
    await client.close();
    await ssh({ ...status, directory }, "(setsid sleep 1000 > /dev/null 2>&1 < /dev/null &)", { publicKey });
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    const again = await startLab({ directory });
    expect((await again.leftovers()).hostProcesses).toEqual([]);
    await again.stop();
  });
});
