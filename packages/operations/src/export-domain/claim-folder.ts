import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { systemErrorCode } from "@ovault/contract";
import { StagingError } from "@ovault/strategy-export-domain";
import { z } from "zod";

/** Beside the directory of the domain; hosts do not look at it. */
const OWN = ".ovault";
const CLAIM = "node.json";
const NODE_ID = "node-id";

const claim = z.object({ id: z.string(), node: z.string() });

/**
 * Notes in the folder which node it belongs to: two that share one would remove each other's exports.
 * @param stateDirectory of this node; its id survives a new host name
 * @throws StagingError when it belongs to another node
 */
export async function claimFolder(folder: string, stateDirectory: string): Promise<void> {
  const id = await nodeId(stateDirectory);
  const file = join(folder, OWN, CLAIM);
  await mkdir(join(folder, OWN), { mode: 0o700 }).catch((error: unknown) => {
    if (systemErrorCode(error) !== "EEXIST") throw error;
  });
  const holder = claimIn(await madeOnce(file, JSON.stringify({ id, node: hostname() })));
  if (holder?.id === id) return;
  throw new StagingError(`${folder} belongs to ${holder === undefined ? "an unknown node" : `node ${holder.node}`}`, {
    context: { folder },
    hint: `Nodes must not share a folder: choose another one. If that node, or its state directory, is gone for good, remove ${file}.`,
  });
}

/** Removes the note that `claimFolder` made for this node. Missing is not an error. */
export async function releaseFolder(folder: string, stateDirectory: string): Promise<void> {
  const file = join(folder, OWN, CLAIM);
  const found = await readFile(file, "utf8").catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found !== undefined && claimIn(found)?.id === (await nodeId(stateDirectory))) await rm(file);
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
