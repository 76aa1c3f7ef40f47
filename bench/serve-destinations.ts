import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { startRadosGateway } from "@ovault/test-support/rados-gateway";

import { resticWith } from "./peers.ts";
import { workDirectory } from "./work-directory.ts";

/** A kind of destination that both ovault and restic can write to. */
export interface ServedDestinations {
  /** An empty place for ovault, as ovault.yaml names it. */
  newPlace(): Promise<object>;
  /** An empty place for restic: environment and arguments that lead to it. */
  newResticPlace(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const cache = join(workDirectory, "restic-cache");

export async function serveDirectories(): Promise<ServedDestinations> {
  const root = await mkdtemp(join(workDirectory, "places-"));
  let places = 0;
  const newDirectory = (): string => join(root, `${++places}`);
  return {
    newPlace: async () => ({ type: "filesystem", directory: newDirectory() }),
    newResticPlace: async () => [...resticWith(cache), "-r", newDirectory()],
    close: async () => {
      await removeAll(root, cache);
    },
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
    newPlace: async () => ({
      type: "sftp",
      host: "127.0.0.1",
      port,
      user,
      directory: newDirectory(),
      privateKey: key,
      knownHosts,
    }),
    newResticPlace: async () => {
      const address = `sftp:${user}@127.0.0.1:${newDirectory()}`;
      return [...resticWith(cache), "-o", `sftp.command=${ssh}`, "-r", address];
    },
    close: async () => {
      await server.stop();
      await removeAll(root, cache);
    },
  };
}

/** Ceph's own gateway on one OSD in memory. */
export async function serveS3(): Promise<ServedDestinations> {
  const { gateway, stop } = await startRadosGateway({ mostBytes: 10 * 1024 ** 3 });
  const { endpoint, accessKeyId, secretAccessKey } = gateway;
  const credentials = {
    accessKeyId: { command: ["echo", accessKeyId] },
    secretAccessKey: { command: ["echo", secretAccessKey] },
  };
  let places = 0;
  return {
    newPlace: async () => ({ type: "s3", bucket: `ovault-bench-${++places}`, endpoint, credentials }),
    newResticPlace: async () => {
      const keys = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`];
      return [...resticWith(cache, ...keys), "-r", `s3:${endpoint}/restic-bench-${++places}`];
    },
    close: async () => {
      await stop();
      await removeAll(cache);
    },
  };
}

function removeAll(...directories: readonly string[]): Promise<unknown> {
  return Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
}
