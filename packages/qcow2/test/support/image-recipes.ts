import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import * as fc from "fast-check";

const run = promisify(execFile);
const SECTOR = 512;
const KIB = 1024;

/** How one layer is made: its format's features, what is written into it, and what else happens to it. */
export interface LayerRecipe {
  readonly format: LayerFormat;
  readonly sectors: number;
  readonly writes: readonly GuestWrite[];
  /** An internal snapshot is taken after the first half of the writes. */
  readonly snapshot: boolean;
  readonly bitmap: boolean;
  readonly grownSectors: number;
  /** Bytes behind the end, as of a file that was longer once. */
  readonly garbageBytes: number;
}

interface LayerFormat {
  readonly clusterBytes: number;
  /** For `qemu-img create -o`. */
  readonly options: string;
  /** QEMU allows it for images without a backing file only. */
  readonly preallocation?: "metadata" | "falloc" | "full";
}

interface GuestWrite {
  readonly verb: "write" | "write -z" | "write -z -u" | "write -c" | "discard";
  readonly from: number;
  readonly length: number;
  readonly pattern: number;
}

/** Layers, the lowest first, perhaps on a raw image. */
export interface ChainRecipe {
  readonly layers: readonly LayerRecipe[];
  readonly onRaw: boolean;
}

/** Where a chain lies, the newest first, with QEMU's views of it and of what lies below its newest layer. */
export interface MadeChain {
  readonly paths: readonly string[];
  readonly view: string;
  readonly viewBelow: string | undefined;
}

const refcounts = fc.constantFrom(1, 2, 4, 8, 16, 32, 64);
const clusterBits = (least: number): fc.Arbitrary<number> => fc.integer({ min: least, max: 21 });

const version2 = clusterBits(9).map((bits) => ({ clusterBytes: 2 ** bits, options: "compat=0.10" }));
const version3 = fc
  .record({ bits: clusterBits(9), zstd: fc.boolean(), lazy: fc.boolean(), refcount: refcounts })
  .map(({ bits, zstd, lazy, refcount }) => ({
    clusterBytes: 2 ** bits,
    options: `compat=1.1,compression_type=${zstd ? "zstd" : "zlib"},lazy_refcounts=${lazy ? "on" : "off"},refcount_bits=${refcount}`,
  }));
const subclusters = fc.record({ bits: clusterBits(14), zstd: fc.boolean() }).map(({ bits, zstd }) => ({
  clusterBytes: 2 ** bits,
  options: `compat=1.1,extended_l2=on,compression_type=${zstd ? "zstd" : "zlib"}`,
}));
const preallocated = fc
  .record({ format: version3, preallocation: fc.constantFrom("metadata" as const, "falloc" as const, "full" as const) })
  .map(({ format, preallocation }) => ({ ...format, preallocation }));

const write: fc.Arbitrary<GuestWrite> = fc.record({
  verb: fc.constantFrom("write", "write -z", "write -z -u", "write -c", "discard"),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 700 }),
  pattern: fc.integer({ min: 1, max: 255 }),
});

const seldom = fc.constantFrom(true, false, false, false);

export const layerRecipe: fc.Arbitrary<LayerRecipe> = fc.record({
  format: fc.oneof(version2, version3, subclusters, preallocated),
  sectors: fc.integer({ min: 1, max: 8_000 }),
  writes: fc.array(write, { maxLength: 6 }),
  snapshot: seldom,
  bitmap: seldom,
  grownSectors: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 2_000 })),
  garbageBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3_000 })),
});

export const chainRecipe: fc.Arbitrary<ChainRecipe> = fc.record({
  layers: fc.array(layerRecipe, { minLength: 1, maxLength: 3 }),
  onRaw: fc.boolean(),
});

/** Makes a chain with one shell: most of the time goes into starting processes. `name` is that of its files. */
export async function makeChain(directory: string, name: string, { layers, onRaw }: ChainRecipe): Promise<MadeChain> {
  const raw = join(directory, `${name}.raw`);
  const rawCommands = onRaw ? [`yes raw | head -c ${900 * SECTOR} > ${raw}`] : [];
  const images = layers.map((_, index) => join(directory, `${name}.${index}.qcow2`));
  const lowestFirst = [...(onRaw ? [raw] : []), ...images];
  const commands = layers.flatMap((recipe, index) => {
    const path = images[index] ?? "";
    return layerCommands(path, recipe, lowestFirst[lowestFirst.indexOf(path) - 1]);
  });
  const [top = "", below] = lowestFirst.toReversed();
  const [view, viewBelow] = [join(directory, `${name}.view`), join(directory, `${name}.below`)];
  const views = [convert(top, view), ...(below === undefined ? [] : [convert(below, viewBelow)])];
  await run("sh", ["-e", "-c", [...rawCommands, ...commands, ...views].join("\n")]);
  return { paths: lowestFirst.toReversed(), view, viewBelow: below === undefined ? undefined : viewBelow };
}

function layerCommands(path: string, recipe: LayerRecipe, backing: string | undefined): readonly string[] {
  const { format, sectors, writes, snapshot, bitmap, grownSectors, garbageBytes } = recipe;
  const { clusterBytes, options, preallocation } = format;
  const below = backing === undefined ? "" : `-b ${backing} -F ${formatOf(backing)}`;
  const reserved = preallocation === undefined || backing !== undefined ? "" : `,preallocation=${preallocation}`;
  const settings = `${options},cluster_size=${clusterBytes}${reserved}`;
  const half = Math.ceil(writes.length / 2);
  return [
    `qemu-img create -q -f qcow2 -o ${settings} ${below} ${path} ${sectors * SECTOR}`,
    ...writeCommands(path, recipe, writes.slice(0, half)),
    ...(snapshot ? [mayRefuse(`qemu-img snapshot -q -c before ${path}`)] : []),
    ...writeCommands(path, recipe, writes.slice(half)),
    ...(bitmap ? [mayRefuse(`qemu-img bitmap --add ${path} changed`)] : []),
    ...(grownSectors > 0 ? [mayRefuse(`qemu-img resize -q -f qcow2 ${path} +${grownSectors * SECTOR}`)] : []),
    ...(garbageBytes > 0 ? [`yes garbage | head -c ${garbageBytes} >> ${path}`] : []),
  ];
}

/** One call of qemu-io; a compressed write is moved to a whole cluster, as QEMU wants it. */
function writeCommands(
  path: string,
  { format, sectors }: LayerRecipe,
  writes: readonly GuestWrite[],
): readonly string[] {
  if (writes.length === 0) return [];
  const cluster = format.clusterBytes / SECTOR;
  const commands = writes.map(({ verb, from, length, pattern }) => {
    const whole = verb === "write -c";
    const start = Math.floor(from * (sectors - 1));
    const at = whole ? Math.floor(start / cluster) * cluster : start;
    const count = Math.min(whole ? cluster : length, sectors - at);
    const data = verb.startsWith("write -z") || verb === "discard" ? "" : `-P ${pattern} `;
    return `-c '${verb} ${data}${at * SECTOR} ${count * SECTOR}'`;
  });
  return [mayRefuse(`qemu-io -f qcow2 -d unmap ${commands.join(" ")} -c flush ${path}`)];
}

/** QEMU does not compress over what is written, nor snapshot every image: its view afterwards is what counts. */
function mayRefuse(command: string): string {
  return `${command} > /dev/null 2>&1 || true`;
}

function convert(path: string, view: string): string {
  return `qemu-img convert -f ${formatOf(path)} -O raw -S ${64 * KIB} ${path} ${view}`;
}

function formatOf(path: string): string {
  return path.endsWith("raw") ? "raw" : "qcow2";
}
