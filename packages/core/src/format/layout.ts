import { randomBytes } from "node:crypto";

import type { ObjectKey } from "@ovault/contract";

/** Where things lie in a repository. docs/repository-format.md is the specification. */
export const REPOSITORY_KEY: ObjectKey = "ovault-repository";
/** Holds room for the steps that free space. */
export const RESERVE_KEY: ObjectKey = "ovault-reserve";
/** The master key of an encrypted repository, wrapped, once for every secret that opens it. */
export const KEYS = "keys/";
export const PACKS = "packs/";
export const INDEX = "index/";
export const POINTS = "points/";
/** What prune is about to delete. */
export const CONDEMNED = "condemned/";
/** What prune will delete, whatever happens. */
export const VERDICTS = "verdicts/";
/** When locks of the store were extended. */
export const EXTENSIONS = "extensions/";
/** Who works on what now. */
export const LEASES = "leases/";

/** Places that do not hold the chunks they should. */
export const DAMAGE = "damage/";
/** Points that lost data. */
export const LOST = "lost/";
/** When which packs were read and proved. */
export const CHECKS = "checks/";

/** 16 random bytes as hex: the name of an index object or a record. */
export function randomName(): string {
  return randomBytes(16).toString("hex");
}

/** Digits at the end of a pack's name that tell the run. */
const RUN_DIGITS = 8;

/** The name of a pack, 32 random hex digits; the last are those that the run's id begins with. */
export function newPackName(runId: string): string {
  return randomName().slice(0, -RUN_DIGITS) + runDigitsOf(runId);
}

/** Whether a run may have made this pack. When it did not, that is chance. */
export function mayBeOf(runId: string, packName: string): boolean {
  return packName.endsWith(runDigitsOf(runId));
}

function runDigitsOf(runId: string): string {
  return runId.replaceAll("-", "").slice(0, RUN_DIGITS);
}

export function packKey(name: string): ObjectKey {
  return `${PACKS}${name.slice(0, 2)}/${name}`;
}

/** The pack that lies under this key; undefined when none can. */
export function packNameIn(key: ObjectKey): string | undefined {
  return /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{30})$/.exec(key)?.[2];
}

/** Whether an index object may lie under this key. */
export function isIndexKey(key: ObjectKey): boolean {
  return /^index\/[0-9a-f]{32}$/.test(key);
}

export function indexKey(name: string): ObjectKey {
  return `${INDEX}${name}`;
}

/** `folder`: of the virtual machine, as the repository's protection names it. */
export function pointKey(folder: string, pointId: string): ObjectKey {
  return `${POINTS}${folder}/${pointId}`;
}

/** Whether a manifest may lie under this key. Whatever else lies there is not one. */
export function isPointKey(key: ObjectKey): boolean {
  return /^points\/[0-9a-f]{32}\/[0-9a-z-]{1,64}$/.test(key);
}
