import { randomUUID } from "node:crypto";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { processIdentity, processState } from "@ovault/contract";

import { writeParts } from "./write-parts.ts";

/** Lies in the root beside the objects; `~` is in no key. */
export const DRAFTS = "~drafts";

/** Since its last change. A put takes minutes at most; the rest is tolerance for clocks that disagree. */
const LONGEST_LIFE_MS = 24 * 60 * 60 * 1000;

/** Writes a durable file that is no object yet. Leaves nothing behind when it fails. */
export async function writeDraft(
  directory: string,
  parts: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<string> {
  const path = join(directory, newDraftName());
  const handle = await open(path, "wx", 0o600);
  try {
    await writeParts(handle, parts, signal);
    await handle.datasync();
    // Quotas of file servers are met as late as here: a failed close is a failed write.
    await handle.close();
    return path;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await removeDraft(path);
    throw error;
  }
}

/**
 * Removes a file or a directory. Never fails: the next run removes a draft that cannot be removed now; the outcome of its
 * put is decided.
 */
export async function removeDraft(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true }).catch(() => undefined);
}

/**
 * Removes drafts of killed processes: at once when they ran on this machine, else a day later. Best effort: it never
 * fails; a real call reports the same problem (a read-only mount).
 */
export async function removeStaleDrafts(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    const path = join(directory, name);
    if (await isStale(path, name).catch(() => false)) await removeDraft(path);
  }
}

/** A name that tells which process made it. */
export function newDraftName(): string {
  const { bootId, pidNamespace, pid, startTicks } = processIdentity();
  const namespace = pidNamespace?.replaceAll(/\D/g, "");
  return [pid, startTicks, namespace, bootId, randomUUID()].join("~");
}

async function isStale(path: string, name: string): Promise<boolean> {
  const [pid, startTicks, namespace, bootId] = name.split("~");
  const state = await processState({
    node: "",
    pid: Number(pid),
    startTicks: Number(startTicks),
    pidNamespace: `pid:[${namespace}]`,
    bootId: bootId ?? null,
  });
  if (state !== "unknown") return state === "dead";
  return (await lastChangeMs(path)) < Date.now() - LONGEST_LIFE_MS;
}

/** Of a directory: of what lies in it, too. */
async function lastChangeMs(path: string): Promise<number> {
  const found = await stat(path);
  const names = found.isDirectory() ? await readdir(path) : [];
  const times = await Promise.all(names.map(async (name) => (await stat(join(path, name))).mtimeMs));
  return Math.max(found.mtimeMs, ...times);
}
