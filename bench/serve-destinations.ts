import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { startRadosGateway } from "../packages/destination-s3/test/support/rados-gateway.ts";
import { OpenSshServer } from "../packages/ssh/test/support/open-ssh-server.ts";
import { workDirectory } from "./images.ts";
import type { DestinationFile } from "./open-destination.ts";

/** A kind of destination that both ovault and restic can write to. */
export interface ServedDestinations {
  /** An empty place for ovault: what `openRepository` takes. */
  newPlace(): Promise<string>;
  /** An empty place for restic: environment and arguments that lead to it. */
  newResticPlace(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const restic = ["env", "RESTIC_PASSWORD=bench", `RESTIC_CACHE_DIR=${join(workDirectory, "restic-cache")}`];

export async function serveDirectories(): Promise<ServedDestinations> {
  const root = await mkdtemp(join(workDirectory, "places-"));
  let places = 0;
  const newDirectory = (): string => join(root, `${++places}`);
  return {
    newPlace: async () => newDirectory(),
    newResticPlace: async () => [...restic, "restic", "-q", "-r", newDirectory()],
    close: () => rm(root, { recursive: true }),
  };
}

export async function serveSftp(): Promise<ServedDestinations> {
  const server = await OpenSshServer.start();
  const root = await mkdtemp(join(workDirectory, "places-"));
  const { home, port, user } = server;
  const key = join(home, "user");
  const knownHosts = join(home, "known_hosts");
  const ssh = `ssh -p ${port} -i ${key} -o UserKnownHostsFile=${knownHosts} ${user}@127.0.0.1 -s sftp`;
  let places = 0;
  const newDirectory = (): string => join(root, `${++places}`);
  return {
    newPlace: async () => {
      const options = { host: "127.0.0.1", port, user, directory: newDirectory(), privateKey: key, knownHosts };
      return await keep(root, `${places}`, { type: "sftp", options });
    },
    newResticPlace: async () => {
      const address = `sftp:${user}@127.0.0.1:${newDirectory()}`;
      return [...restic, "restic", "-q", "-o", `sftp.command=${ssh}`, "-r", address];
    },
    close: async () => {
      await server.stop();
      await rm(root, { recursive: true });
    },
  };
}

/** Ceph's own gateway on one OSD in memory. */
export async function serveS3(): Promise<ServedDestinations> {
  const { gateway, stop } = await startRadosGateway({ mostBytes: 10 * 1024 ** 3 });
  const { endpoint, accessKeyId, secretAccessKey } = gateway;
  const root = await mkdtemp(join(workDirectory, "places-"));
  const credentials = {
    accessKeyId: { command: ["echo", accessKeyId] },
    secretAccessKey: { command: ["echo", secretAccessKey] },
  };
  let places = 0;
  return {
    newPlace: async () => {
      const bucket = `ovault-bench-${++places}`;
      return await keep(root, bucket, { type: "s3", options: { bucket, endpoint, credentials } });
    },
    newResticPlace: async () => {
      const keys = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`];
      return [...restic, ...keys, "restic", "-q", "-r", `s3:${endpoint}/restic-bench-${++places}`];
    },
    close: async () => {
      await stop();
      await rm(root, { recursive: true });
    },
  };
}

async function keep(root: string, name: string, destination: DestinationFile): Promise<string> {
  const file = join(root, `${name}.json`);
  await writeFile(file, JSON.stringify(destination), { mode: 0o600 });
  return file;
}
