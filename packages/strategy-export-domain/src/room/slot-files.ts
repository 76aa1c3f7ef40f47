import { z } from "zod";

import { processIdentity, processState } from "@ovault/contract";
import { Directory, StorageDomainError } from "@ovault/storage-domain";

import { StagingError } from "../errors.ts";

/** Beside the domain in a folder that hosts mount; hosts look for `dom_md` alone. */
const DIRECTORY = ".ovault";
const SLOT = ".slot";
const MOST_BYTES = 4096;
const OWN_ALONE = { fileMode: 0o600, directoryMode: 0o700, owner: undefined };

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
  /** The run that holds it, by which its entry in the ledger finds it. */
  runId: z.string().optional(),
});

/** What a process does in a folder. */
export type Holder = z.output<typeof holderSchema>;

export interface HeldSlot extends Holder {
  /** For people. */
  readonly path: string;
  /** Name of its file. */
  readonly name: string;
  /** A process of another node, or of another container: whether it still runs is not known here. */
  readonly elsewhere: boolean;
}

/** The slots of a folder that are held; not those of dead processes of this node. */
export async function heldSlots(folder: string): Promise<readonly HeldSlot[]> {
  await using directory = await slotsOf(folder);
  if (directory === undefined) return [];
  const held: HeldSlot[] = [];
  for (const name of await directory.names()) {
    const holder = name.endsWith(SLOT) ? await readHolder(directory, name) : undefined;
    const state = holder && (await standing(holder));
    if (holder === undefined || state === "dead") continue;
    held.push({ ...holder, name, path: `${directory.path}/${name}`, elsewhere: state === "unknown" });
  }
  return held;
}

/** @throws StagingError while a run exports into a folder, or restores to it, of any installation */
export async function assertNoTurns(folder: string): Promise<void> {
  const [held] = await heldSlots(folder);
  if (held === undefined) return;
  throw new StagingError(`${folder} is in use: ${held.title} (${held.process.node}, process ${held.process.pid})`, {
    context: { folder, node: held.process.node },
    hint: held.elsewhere
      ? `Wait until it ends. If that node runs nothing any more, remove ${held.path}.`
      : "Wait until it ends.",
  });
}

/** Names of the slots that a run took, whether its process lives or not. */
export async function slotsOfRun(folder: string, runId: string): Promise<readonly string[]> {
  await using directory = await slotsOf(folder);
  const names: string[] = [];
  for (const name of (await directory?.names()) ?? []) {
    const holder = directory && (await readHolder(directory, name));
    if (holder?.runId === runId) names.push(name);
  }
  return names;
}

/** Removes what dead processes of this node left, and slots that cannot be read, as after a power cut. */
export async function freeDeadSlots(folder: string): Promise<void> {
  await using directory = await slotsOf(folder);
  for (const name of (await directory?.names()) ?? []) {
    const holder = directory && (await readHolder(directory, name));
    // A draft may be half written.
    const isDead = holder === undefined ? name.endsWith(SLOT) : (await standing(holder)) === "dead";
    if (isDead) await directory?.remove(name);
  }
}

/** Takes the first free one of so many slots; undefined when all are held. Resolves to its name. */
export async function takeFreeSlot(
  folder: string,
  { first, count }: { readonly first: number; readonly count: number },
  wish: Omit<Holder, "process">,
): Promise<string | undefined> {
  await using directory = (await slotsOf(folder)) ?? (await makeSlots(folder));
  const holder: Holder = { process: processIdentity(), ...wish };
  const bytes = Buffer.from(JSON.stringify(holder));
  for (let slot = first; slot < first + count; slot += 1) {
    const name = `${slot}${SLOT}`;
    if (await isWritten(directory, name, bytes)) return name;
  }
  return undefined;
}

export async function releaseSlot(folder: string, name: string): Promise<void> {
  await using directory = await slotsOf(folder);
  await directory?.remove(name);
}

/** Hosts may put a link in its place: none is followed. */
async function slotsOf(folder: string): Promise<Directory | undefined> {
  await using root = await Directory.open(folder);
  return await root.child(DIRECTORY);
}

async function makeSlots(folder: string): Promise<Directory> {
  await using root = await Directory.open(folder);
  try {
    return await root.make(DIRECTORY, OWN_ALONE);
  } catch (error) {
    const made = error instanceof StorageDomainError ? await root.child(DIRECTORY) : undefined;
    if (made === undefined) throw error;
    return made;
  }
}

/** False when the name is taken. */
async function isWritten(directory: Directory, name: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await directory.write(name, bytes, OWN_ALONE);
    return true;
  } catch (error) {
    if (error instanceof StorageDomainError) return false;
    throw error;
  }
}

/** Undefined when it is gone, or cannot be read. */
async function readHolder(directory: Directory, name: string): Promise<Holder | undefined> {
  try {
    const bytes = await directory.read(name, MOST_BYTES);
    return bytes && holderSchema.parse(JSON.parse(bytes.toString()));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError || error instanceof StorageDomainError) {
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
