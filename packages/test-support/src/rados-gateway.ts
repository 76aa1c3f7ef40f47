import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { freePort } from "./free-port.ts";
import { isAlive } from "./is-alive.ts";

const run = promisify(execFile);

const NAME = "ovault-rados-gateway-";
const START_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/** A Ceph cluster of one monitor and one OSD in memory, and its gateway. Plain data, to pass between processes. */
export interface RadosGateway {
  /** `http://127.0.0.1:…` */
  readonly endpoint: string;
  /** `https://localhost:…` */
  readonly secureEndpoint: string;
  /** Certificate of `secureEndpoint` (PEM). */
  readonly ca: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A key that its test key management knows, for encryption by `aws:kms`. */
  readonly kmsKeyId: string;
  /** For `radosgw-admin --conf`. */
  readonly configFile: string;
}

export interface RunningGateway {
  readonly gateway: RadosGateway;
  /** Kills the daemons and removes their files. */
  stop(): Promise<void>;
}

/**
 * Starts a gateway on free ports of the loopback interface. Takes some seconds, and at most as much memory as it
 * stores. The daemons die with the thread that started them, however it ends.
 */
export async function startRadosGateway({ mostBytes = 2 * 1024 ** 3 } = {}): Promise<RunningGateway> {
  await removeLeftovers();
  const directory = await mkdtemp(join(tmpdir(), `${NAME}${process.pid}-`));
  const daemons: Daemon[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(daemons.map((daemon) => daemon.kill()));
    await rm(directory, { recursive: true });
  };
  try {
    return { gateway: await startIn(directory, daemons, mostBytes), stop };
  } catch (error) {
    const logs = await Promise.all(daemons.map((daemon) => daemon.lastWords()));
    await stop();
    throw new Error(`the RADOS gateway did not start\n${logs.join("\n")}`, { cause: error });
  }
}

async function startIn(directory: string, daemons: Daemon[], mostBytes: number): Promise<RadosGateway> {
  const [monitorPort, port, securePort] = [await freePort(), await freePort(), await freePort()];
  const configFile = join(directory, "ceph.conf");
  const fsid = randomUUID();
  const kmsKeyId = "test-key";
  const ceph = async (program: string, ...args: string[]): Promise<string> =>
    (await run(program, ["--conf", configFile, ...args])).stdout.trim();
  const daemon = (program: string, ...args: string[]): void => {
    daemons.push(new Daemon(directory, program, ["--conf", configFile, "--foreground", ...args]));
  };
  const ca = await makeCertificate(directory);
  await writeFile(configFile, configuration({ directory, fsid, monitorPort, port, securePort, kmsKeyId, mostBytes }));
  for (const name of ["monitor", "osd", "gateway"]) await mkdir(join(directory, name));

  const map = join(directory, "monitor.map");
  await run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", `[v2:127.0.0.1:${monitorPort}]`, map]);
  await ceph("ceph-mon", "--id", "a", "--mkfs", "--monmap", map);
  daemon("ceph-mon", "--id", "a");

  const osd = randomUUID();
  await ceph("ceph", "osd", "new", osd);
  await ceph("ceph-osd", "--id", "0", "--mkfs", "--osd-uuid", osd);
  daemon("ceph-osd", "--id", "0");
  daemon("radosgw", "--name", "client.gateway");

  const [accessKeyId, secretAccessKey] = ["ovault-access-key", "ovault-secret-key"];
  const keys = ["--access-key", accessKeyId, "--secret-key", secretAccessKey];
  await ceph("radosgw-admin", "user", "create", "--uid", "ovault", "--display-name", "ovault", ...keys);
  const endpoint = `http://127.0.0.1:${port}`;
  await untilItAnswers(endpoint, daemons);
  const secureEndpoint = `https://localhost:${securePort}`;
  return { endpoint, secureEndpoint, ca, accessKeyId, secretAccessKey, kmsKeyId, configFile };
}

interface Layout {
  readonly directory: string;
  readonly fsid: string;
  readonly monitorPort: number;
  readonly port: number;
  readonly securePort: number;
  readonly kmsKeyId: string;
  readonly mostBytes: number;
}

function configuration({ directory, fsid, monitorPort, port, securePort, kmsKeyId, mostBytes }: Layout): string {
  const secure = `ssl_certificate=${directory}/certificate.pem ssl_private_key=${directory}/key.pem`;
  return `
[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${monitorPort}/0]
ms_bind_msgr1 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
# Only this machine can reach it. Without authentication the secure mode of the messenger hangs.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_mon_client_mode = crc
run_dir = ${directory}
crash_dir = ${directory}
log_file = ${directory}/$name.log
admin_socket =
pid_file =
# One copy of everything, on one OSD.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true

[mon]
mon_data = ${directory}/monitor
mon_cluster_log_file = ${directory}/cluster.log
# Tests must run on a disk that is nearly full.
mon_data_avail_crit = 1
mon_data_avail_warn = 1
# The gateway makes a dozen pools one after the other; by default each waits a second.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01

[osd]
osd_data = ${directory}/osd
osd_objectstore = memstore
memstore_device_bytes = ${mostBytes}

[client]
rgw_data = ${directory}/gateway
rgw_frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:${port} ssl_endpoint=127.0.0.1:${securePort} ${secure}
rgw_override_bucket_index_max_shards = 1
rgw_dynamic_resharding = false
rgw_run_sync_thread = false
# Without this it takes no notice of session tokens.
rgw_s3_auth_use_sts = true
rgw_sts_key = sixteen-letters.
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = ${kmsKeyId}=${Buffer.alloc(32, 7).toString("base64")}
# Deleted objects leave memory immediately.
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 2
`;
}

async function makeCertificate(directory: string): Promise<string> {
  const file = join(directory, "certificate.pem");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
  await run("openssl", ["req", "-x509", ...curve, ...name, "-out", file, "-keyout", join(directory, "key.pem")]);
  return await readFile(file, "utf8");
}

async function untilItAnswers(endpoint: string, daemons: readonly Daemon[]): Promise<void> {
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
  for (;;) {
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer?.ok === true) return;
    deadline.throwIfAborted();
    for (const daemon of daemons) daemon.assertRunning();
    await sleep(POLL_MS);
  }
}

/** Removes files of killed test processes, whose daemons died with them. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(new RegExp(`^${NAME}(\\d+)-`).exec(name)?.[1]);
    // It may belong to another user.
    if (pid > 0 && !isAlive(pid)) await rm(join(tmpdir(), name), { recursive: true }).catch(() => undefined);
  }
}

class Daemon {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #output: string;

  constructor(directory: string, name: string, args: readonly string[]) {
    this.#name = name;
    this.#output = join(directory, `${name}.out`);
    const output = openSync(this.#output, "a");
    this.#process = spawn("setpriv", ["--pdeathsig", "KILL", "--", name, ...args], {
      stdio: ["ignore", output, output],
    });
    closeSync(output);
  }

  assertRunning(): void {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) throw new Error(`${this.#name} ended`);
  }

  async lastWords(): Promise<string> {
    return `${this.#name}: ${(await readFile(this.#output, "utf8")).slice(-2000)}`;
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
