import { rm } from "node:fs/promises";
import { join } from "node:path";

import type { Contender } from "./case.ts";
import { isInstalled } from "./is-installed.ts";
import { measure } from "./measure.ts";
import { workDirectory } from "./work-directory.ts";

/** A comparable program with its own local repository. */
export interface Peer {
  readonly name: string;
  readonly repository: string;
  /** Makes an empty repository with empty caches. */
  fresh(): Promise<void>;
  /** Removes everything. */
  clear(): Promise<void>;
  backup(...files: readonly string[]): readonly string[];
  /** Reads everything back. */
  verify(): readonly string[];
}

/** With our original block size and compression, without encryption. */
export function borg(): Peer {
  const repository = join(workDirectory, "borg");
  const base = join(workDirectory, "borg-base");
  const command = [
    "env",
    `BORG_BASE_DIR=${base}`,
    `BORG_REPO=${repository}`,
    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes",
    "borg",
  ];
  const clear = () => removeAll(repository, base);
  const form = ["--chunker-params", "fixed,1048576", "--compression", "lz4"];
  return {
    name: "borg",
    repository,
    clear,
    fresh: async () => {
      await clear();
      await measure([...command, "init", "-e", "none"]);
    },
    backup: (...files) => [...command, "create", ...form, "::{now:%s%f}", ...files],
    verify: () => [...command, "check", "--verify-data"],
  };
}

/** With its defaults. It always encrypts. */
export function restic(): Peer {
  const repository = join(workDirectory, "restic");
  const cache = join(workDirectory, "restic-cache");
  const command = [...resticWith(cache), "-r", repository];
  const clear = () => removeAll(repository, cache);
  return {
    name: "restic",
    repository,
    clear,
    fresh: async () => {
      await clear();
      await measure([...command, "init"]);
    },
    backup: (...files) => [...command, "backup", "--force", ...files],
    verify: () => [...command, "check", "--read-data"],
  };
}

/** A quiet restic command that lacks only the place of its repository. */
export function resticWith(cache: string, ...environment: readonly string[]): readonly string[] {
  return ["env", "RESTIC_PASSWORD=bench", `RESTIC_CACHE_DIR=${cache}`, ...environment, "restic", "-q"];
}

/** Full backups of files into an empty repository. */
export function fullBackup(peer: Peer, ...files: readonly string[]): Contender {
  return {
    name: peer.name,
    needs: peer.name,
    prepare: () => peer.fresh(),
    command: () => peer.backup(...files),
    output: peer.repository,
    tidy: () => peer.clear(),
  };
}

/** Reads back a full backup of files, which it takes first if the peer is installed. */
export async function verification(peer: Peer, ...files: readonly string[]): Promise<Contender> {
  if (isInstalled(peer.name)) {
    await peer.fresh();
    await measure(peer.backup(...files));
  }
  return { name: peer.name, needs: peer.name, command: () => peer.verify() };
}

/** A plain copy of an image into another format. */
export function qemuImgConvert(
  source: string,
  formats: { readonly from: "raw" | "qcow2"; readonly to: "raw" | "qcow2" },
): Contender {
  const output = join(workDirectory, `qemu-img.${formats.to}`);
  return {
    name: "qemu-img",
    needs: "qemu-img",
    command: () => ["qemu-img", "convert", "-f", formats.from, "-O", formats.to, source, output],
    output,
    tidy: () => removeAll(output),
  };
}

async function removeAll(...paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true })));
}
