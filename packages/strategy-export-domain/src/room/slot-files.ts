import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { processIdentity, processState, systemErrorCode } from "@ovault/contract";

/** Beside the domain in a folder that hosts mount; hosts look for `dom_md` alone. */
const DIRECTORY = ".ovault";
const [SLOT, DRAFT] = [".slot", ".draft"];

const holderSchema = z.object({
  process: z.object({
    node: z.string(),
    pid: z.number(),
    bootId: z.string().nullable(),
    pidNamespace: z.string().nullable(),
    startTicks: z.number().nullable(),
  }),
  /** What it does there, for people. */
  title: z.string(),
  /** Most bytes that it puts there. */
  bytes: z.number(),
});

/** What a process does in a folder. */
export type Holder = z.output<typeof holderSchema>;

export interface HeldSlot extends Holder {
  readonly path: string;
  /** A process of another node, or of another container: whether it still runs is not known here. */
  readonly elsewhere: boolean;
}

/** The slots of a folder that are held; not those of dead processes of this node. */
export async function heldSlots(folder: string): Promise<readonly HeldSlot[]> {
  const held: HeldSlot[] = [];
  for (const { path, holder, state } of await slotsIn(folder)) {
    if (holder === undefined || state === "dead" || path.endsWith(DRAFT)) continue;
    held.push({ ...holder, path, elsewhere: state === "unknown" });
  }
  return held;
}

/** Removes what dead processes of this node left, and slots that cannot be read, as after a power cut. */
export async function freeDeadSlots(folder: string): Promise<void> {
  for (const { path, holder, state } of await slotsIn(folder)) {
    // A draft may be half written.
    const isDead = holder === undefined ? path.endsWith(SLOT) : state === "dead";
    if (isDead) await unlinkIfThere(path);
  }
}

/** Takes the first free one of so many slots; undefined when all are held. Resolves to the path of its file. */
export async function takeFreeSlot(
  folder: string,
  { first, count }: { readonly first: number; readonly count: number },
  wish: Omit<Holder, "process">,
): Promise<string | undefined> {
  const directory = join(folder, DIRECTORY);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = join(directory, `${randomUUID()}${DRAFT}`);
  const holder: Holder = { process: processIdentity(), ...wish };
  await writeFile(draft, JSON.stringify(holder), { flag: "wx", mode: 0o600 });
  try {
    for (let slot = first; slot < first + count; slot += 1) {
      const path = join(directory, `${slot}${SLOT}`);
      // Unlike a rename, it replaces nothing, and the file appears whole.
      if (await linked(draft, path)) return path;
    }
    return undefined;
  } finally {
    await unlinkIfThere(draft);
  }
}

export async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  });
}

interface SlotFile {
  readonly path: string;
  /** Undefined: it cannot be read. */
  readonly holder: Holder | undefined;
  readonly state: "alive" | "dead" | "unknown" | undefined;
}

async function slotsIn(folder: string): Promise<readonly SlotFile[]> {
  const paths = (await namesIn(folder)).map((name) => join(folder, DIRECTORY, name));
  return await Promise.all(
    paths.map(async (path) => {
      const holder = await readHolder(path);
      return { path, holder, state: holder && (await standing(holder)) };
    }),
  );
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(join(folder, DIRECTORY)))
      .filter((name) => name.endsWith(SLOT) || name.endsWith(DRAFT))
      .toSorted();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Undefined when it is gone, or cannot be read. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT" || error instanceof SyntaxError || error instanceof z.ZodError) {
      return undefined;
    }
    throw error;
  }
}

async function standing({ process }: Holder): Promise<"alive" | "dead" | "unknown"> {
  const own = processIdentity();
  const earlierBoot = process.bootId !== null && own.bootId !== null && process.bootId !== own.bootId;
  if (process.node === own.node && earlierBoot) return "dead";
  return await processState(process);
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}
