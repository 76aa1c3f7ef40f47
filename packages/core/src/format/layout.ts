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
/** What prune will certainly delete. */
export const VERDICTS = "verdicts/";
/** When the store's locks were extended. */
export const EXTENSIONS = "extensions/";
/** Which run works on what now. */
export const LEASES = "leases/";

/** Places that do not hold the chunks they should hold. */
export const DAMAGE = "damage/";
/** Points that lost data. */
export const LOST = "lost/";
/** When packs were last read and proved. */
export const CHECKS = "checks/";

/** 16 random bytes as hex: the name of an index object or a record. */
export function randomName(): string {
  return randomBytes(16).toString("hex");
}

/** Last digits of a pack's name, which identify the run. */
const RUN_DIGITS = 8;

/** The name of a pack, 32 random hex digits; its last digits are the first of the run's id. */
export function newPackName(runId: string): string {
  return randomName().slice(0, -RUN_DIGITS) + runDigitsOf(runId);
}

/** Whether a run may have made this pack. Other packs match only by chance. */
export function mayBeOf(runId: string, packName: string): boolean {
  return packName.endsWith(runDigitsOf(runId));
}

function runDigitsOf(runId: string): string {
  return runId.replaceAll("-", "").slice(0, RUN_DIGITS);
}

export function packKey(name: string): ObjectKey {
  return `${PACKS}${name.slice(0, 2)}/${name}`;
}

/** The name of the pack under this key; undefined when no pack can have this key. */
export function packNameIn(key: ObjectKey): string | undefined {
  return /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{30})$/.exec(key)?.[2];
}

/** Whether this is a key of an index object. */
export function isIndexKey(key: ObjectKey): boolean {
  return /^index\/[0-9a-f]{32}$/.test(key);
}

export function indexKey(name: string): ObjectKey {
  return `${INDEX}${name}`;
}

/** `folder`: the folder that the repository's protection gives the virtual machine. */
export function pointKey(folder: string, pointId: string): ObjectKey {
  return `${POINTS}${folder}/${pointId}`;
}

/** Whether this is a key of a manifest. Nothing else below the prefix is one. */
export function isPointKey(key: ObjectKey): boolean {
  return /^points\/[0-9a-f]{32}\/[0-9a-z-]{1,64}$/.test(key);
}
