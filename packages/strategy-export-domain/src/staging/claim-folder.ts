import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";
import { z } from "zod";

import { StagingError } from "../errors.ts";
import { assertNoTurns } from "../room/slot-files.ts";

/** Beside the directory of the domain; hosts do not look at it. */
const OWN = ".ovault";
const CLAIM = "node.json";
const NODE_ID = "node-id";

const claim = z.object({ id: z.string(), node: z.string() });

/**
 * Notes in the folder which node it belongs to: two that share one would remove each other's exports.
 * @param stateDirectory of this node; its id survives a new host name
 * @throws StagingError when it belongs to another node, or is in use and belongs to none
 */
export async function claimFolder(folder: string, stateDirectory: string): Promise<void> {
  const wasFree = (await readClaim(folder)) === undefined;
  const id = await nodeId(stateDirectory);
  await mkdir(join(folder, OWN), { mode: 0o700 }).catch((error: unknown) => {
    if (systemErrorCode(error) !== "EEXIST") throw error;
  });
  await madeOnce(fileIn(folder), JSON.stringify({ id, node: hostname() }));
  await assertClaim(folder, stateDirectory);
  if (!wasFree) return;
  // Runs of another installation that has claimed nothing.
  await assertNoTurns(folder).catch(async (error: unknown) => {
    await rm(fileIn(folder), { force: true });
    throw error;
  });
}

/**
 * Changes nothing. A folder without a note is open to every node.
 * @throws StagingError when it belongs to another node than the one with this state directory
 */
export async function assertClaim(folder: string, stateDirectory: string): Promise<void> {
  const found = await readClaim(folder);
  if (found === undefined) return;
  const holder = claimIn(found);
  if (holder !== undefined && holder.id === (await textOf(join(stateDirectory, NODE_ID)))) return;
  throw new StagingError(`${folder} belongs to ${holder === undefined ? "an unknown node" : `node ${holder.node}`}`, {
    context: { folder },
    hint: `Nodes must not share a folder, nor two installations of one: choose another one. If that node, or its state directory, is gone for good, remove ${fileIn(folder)}.`,
  });
}

/** Removes the note that `claimFolder` made for this node. Missing is not an error. */
export async function releaseFolder(folder: string, stateDirectory: string): Promise<void> {
  const found = await readClaim(folder);
  if (found !== undefined && claimIn(found)?.id === (await nodeId(stateDirectory))) await rm(fileIn(folder));
}

function fileIn(folder: string): string {
  return join(folder, OWN, CLAIM);
}

/** Undefined where no node has claimed the folder; empty where this user may not read who has. */
async function readClaim(folder: string): Promise<string | undefined> {
  try {
    return await textOf(fileIn(folder));
  } catch (error) {
    if (systemErrorCode(error) === "EACCES") return "";
    throw error;
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemErrorCode(error) ?? "")) return undefined;
    throw error;
  }
}

async function nodeId(stateDirectory: string): Promise<string> {
  await mkdir(stateDirectory, { recursive: true });
  return await madeOnce(join(stateDirectory, NODE_ID), randomUUID());
}

/** The content of a file, which is made with this text if there is none. */
async function madeOnce(file: string, text: string): Promise<string> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
  }
  return await readFile(file, "utf8");
}

function claimIn(text: string): z.infer<typeof claim> | undefined {
  try {
    return claim.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
