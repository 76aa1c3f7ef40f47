import { randomBytes } from "node:crypto";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { ServedDirectory } from "./support/served-directory.ts";
import type { Handle } from "@ovault/test-support/nfs-client";

const [OK, NOENT, EXIST, STALE] = [0, 2, 17, 70];
const NAMES = ["a", "b", "c", "d"];
const DIRECTORIES = ["x", "y"];

class ModelFile {
  readonly handle: Handle;
  bytes = Buffer.alloc(0);

  constructor(handle: Handle) {
    this.handle = handle;
  }

  resize(length: number): void {
    const bytes = Buffer.alloc(length);
    this.bytes.copy(bytes);
    this.bytes = bytes;
  }
}

/** What the names of each directory mean, and all handles that were ever given. */
class Model {
  readonly names = new Map(DIRECTORIES.map((directory) => [directory, new Map<string, ModelFile>()]));
  readonly files: ModelFile[] = [];

  in(directory: string): Map<string, ModelFile> {
    const names = this.names.get(directory);
    if (names === undefined) throw new Error(`no ${directory}`);
    return names;
  }

  make(handle: Handle): ModelFile {
    const file = new ModelFile(handle);
    this.files.push(file);
    return file;
  }

  lives(file: ModelFile): boolean {
    return [...this.names.values()].some((names) => [...names.values()].includes(file));
  }
}

const place = { directory: fc.constantFrom(...DIRECTORIES), name: fc.constantFrom(...NAMES) };
const to = { toDirectory: fc.constantFrom(...DIRECTORIES), toName: fc.constantFrom(...NAMES) };
const step = fc.oneof(
  fc.record({ kind: fc.constant("create" as const), ...place, isExclusive: fc.boolean() }),
  fc.record({ kind: fc.constant("remove" as const), ...place }),
  fc.record({ kind: fc.constant("rename" as const), ...place, ...to }),
  fc.record({ kind: fc.constant("link" as const), ...place, ...to }),
  fc.record({
    kind: fc.constant("write" as const),
    file: fc.nat(),
    offset: fc.nat(9_000),
    length: fc.integer({ min: 1, max: 5_000 }),
    stable: fc.constantFrom(0, 2),
  }),
  fc.record({ kind: fc.constant("truncate" as const), file: fc.nat(), bytes: fc.nat(12_000) }),
  fc.record({ kind: fc.constant("restart" as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Changing = Extract<Step, { kind: "write" | "truncate" }>;
type Folder = (name: string) => Handle;

test("names, data and links are those of a model after any calls, with a restart anywhere", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await using served = await ServedDirectory.serve();
      const folders = new Map<string, Handle>();
      for (const name of DIRECTORIES) folders.set(name, ok(await served.client.makeDirectory(served.root, name)));
      const model = new Model();
      for (const one of steps) {
        const { status, expected } = await take(one, served, model, (name) => folders.get(name) ?? Buffer.alloc(0));
        expect({ step: one, status }).toEqual({ step: one, status: expected });
      }
      await compare(served, model);
    }),
    { numRuns: 60 },
  );
}, 60_000);

/** Statuses of a call. */
interface Answer {
  readonly status: number;
  /** The model's. */
  readonly expected: number;
}

const NO_CALL: Answer = { status: OK, expected: OK };

/** Carries a step out at the server and in the model. */
async function take(one: Step, served: ServedDirectory, model: Model, folder: Folder): Promise<Answer> {
  const { client } = served;
  if (one.kind === "restart") {
    await served.restart();
    return NO_CALL;
  }
  if (one.kind === "write" || one.kind === "truncate") return await change(one, client, model);
  const [names, directory] = [model.in(one.directory), folder(one.directory)];
  const file = names.get(one.name);
  if (one.kind === "create") {
    const answer = one.isExclusive
      ? await client.createExclusively(directory, one.name, randomBytes(8))
      : await client.create(directory, one.name);
    if (file === undefined) names.set(one.name, model.make(ok(answer)));
    return { status: statusOf(answer), expected: file === undefined ? OK : EXIST };
  }
  if (one.kind === "remove") {
    names.delete(one.name);
    return { status: await client.remove(directory, one.name), expected: file === undefined ? NOENT : OK };
  }
  const [toNames, toDirectory] = [model.in(one.toDirectory), folder(one.toDirectory)];
  const there = toNames.get(one.toName);
  if (one.kind === "rename") {
    const status = await client.rename(directory, one.name, toDirectory, one.toName);
    if (file === undefined) return { status, expected: NOENT };
    // Two names of one file both stay.
    if (there !== file) {
      names.delete(one.name);
      toNames.set(one.toName, file);
    }
    return { status, expected: OK };
  }
  if (file === undefined) return NO_CALL;
  const status = await client.link(file.handle, toDirectory, one.toName);
  if (there === undefined) toNames.set(one.toName, file);
  return { status, expected: there === undefined ? OK : EXIST };
}

async function change(one: Changing, client: ServedDirectory["client"], model: Model): Promise<Answer> {
  const file = model.files[one.file % model.files.length];
  if (file === undefined) return NO_CALL;
  const expected = model.lives(file) ? OK : STALE;
  if (one.kind === "truncate") {
    file.resize(one.bytes);
    return { status: await client.truncate(file.handle, BigInt(one.bytes)), expected };
  }
  const bytes = randomBytes(one.length);
  file.resize(Math.max(file.bytes.length, one.offset + one.length));
  bytes.copy(file.bytes, one.offset);
  return { status: statusOf(await client.write(file.handle, BigInt(one.offset), bytes, one.stable)), expected };
}

/** Through the handles, and in the directory itself. */
async function compare({ client, directory }: ServedDirectory, model: Model): Promise<void> {
  for (const [folder, names] of model.names) {
    expect((await readdir(join(directory, folder))).toSorted()).toEqual([...names.keys()].toSorted());
    for (const [name, file] of names) {
      const path = join(directory, folder, name);
      expect((await readFile(path)).equals(file.bytes)).toBe(true);
      expect((await client.read(file.handle, 0n, 20_000)) as Buffer).toEqual(file.bytes);
      const links = [...model.names.values()].flatMap((others) => [...others.values()]).filter((one) => one === file);
      expect((await lstat(path)).nlink).toBe(links.length);
    }
  }
  for (const file of model.files) expect(await client.status(file.handle)).toBe(model.lives(file) ? OK : STALE);
}

function ok(answer: Handle | number): Handle {
  if (typeof answer === "number") throw new Error(`status ${answer}`);
  return answer;
}

function statusOf(answer: unknown): number {
  return typeof answer === "number" ? answer : OK;
}
