import { randomBytes } from "node:crypto";
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { processIdentity, processState } from "@ovault/contract";

/** Numbers in base 36, so that sockets in the directory keep within the length of their paths. */
const BASE = 36;
const NAME = /^ovault-ssh-([0-9a-z]{1,8})-([0-9a-z]{1,8})-([0-9a-z]{1,8})-[0-9a-f]{10}$/;
/** `pid:[4026531836]` */
const NAMESPACE = /^pid:\[(\d+)\]$/;

/** A new name of a directory that says which process it belongs to; where the system does not tell, only that it is ours. */
export function newDirectoryName(): string {
  const { pid, startTicks, pidNamespace } = processIdentity();
  const namespace = NAMESPACE.exec(pidNamespace ?? "")?.[1];
  const owner =
    startTicks === null || namespace === undefined
      ? []
      : [pid, startTicks, Number(namespace)].map((number) => number.toString(BASE));
  return ["ovault-ssh", ...owner, randomBytes(5).toString("hex")].join("-");
}

/**
 * Removes the directories whose processes have died, and nothing that another user made: names in /tmp are anyone's. A
 * process of another container counts as living. One of an earlier boot is dead. Never throws.
 */
export async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const path = join(parent, name);
    if ((await isAbandoned(name)) && (await isOurs(path))) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

async function isAbandoned(name: string): Promise<boolean> {
  const [, pid, startTicks, namespace] = NAME.exec(name) ?? [];
  if (pid === undefined || startTicks === undefined || namespace === undefined) return false;
  const owner = {
    ...processIdentity(),
    pid: parseInt(pid, BASE),
    startTicks: parseInt(startTicks, BASE),
    pidNamespace: `pid:[${parseInt(namespace, BASE)}]`,
  };
  return (await processState(owner)) === "dead";
}

async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}
