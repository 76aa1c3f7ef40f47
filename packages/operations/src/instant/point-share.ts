import { type Clock, messageOf, systemClock } from "@ovault/contract";
import { NfsServer, NfsStatusError } from "@ovault/nfs";

import type { Installation } from "../installation/installation.ts";
import type { JobContext } from "../job-context.ts";
import { ServerParts } from "../serve/server-parts.ts";
import { tellOnce } from "../serve/tell-once.ts";
import { PointFiles } from "./point-files.ts";
import type { ShareDescription, SharedPointDescription } from "./share-description.ts";
import { ShareDirectory } from "./share-directory.ts";
import { type SharedDisk, SharedPoint, volumeName } from "./shared-point.ts";
import { VolumeFile } from "./volume-file.ts";
import type { VolumeEntry } from "./volume-table.ts";
import { VolumeTree } from "./volume-tree.ts";

/** Between two tries to open a point. */
const PAUSE_MS = 5_000;
const GIBIBYTE = 1024 ** 3;

/**
 * Serves disks of points, writable, to hosts that mount the share by NFSv3. The points never change: what hosts write is
 * kept in the directory of the share, durably as they ask for it. A share that is opened again, after whatever end, has
 * the same files with the same handles.
 *
 * Plain files of the share are there at once. Disks whose destination does not answer are there when it does; until
 * then, and when it fails later, hosts wait.
 */
export class PointShare {
  readonly #name: string;
  readonly #installation: Installation;
  readonly #context: Pick<JobContext, "reporter" | "clock">;
  readonly #directory: ShareDirectory;
  readonly #tree: VolumeTree;
  readonly #files: PointFiles;
  readonly #parts: ServerParts;
  readonly #closing: AbortController;
  readonly #tell: (error: unknown) => void;
  /** By name in the table. */
  readonly #volumes = new Map<string, VolumeFile>();
  readonly #opened: SharedPoint[] = [];
  #server: NfsServer | undefined;
  /** The opening of each point, by hold. Never rejects. */
  readonly #points = new Map<string, Promise<void>>();

  /**
   * @param context its signal aborts the opening. The share lives until it is closed
   * @throws NotFoundError when there is no such share; UsageError when it is served already; NfsServerError when it
   * cannot listen; IntegrityError when its directory is damaged
   */
  static async open(
    installation: Installation,
    name: string,
    { signal, ...context }: Pick<JobContext, "reporter" | "signal" | "clock">,
  ): Promise<PointShare> {
    const directory = new ShareDirectory(installation.configuration.stateDirectory, name);
    const description = await directory.description();
    const parts = new ServerParts();
    try {
      const lock = await directory.lock();
      parts.onClose(async () => await lock[Symbol.asyncDispose]());
      const tree = await VolumeTree.open(directory);
      parts.onClose(async () => await tree[Symbol.asyncDispose]());
      const share = new PointShare({ name, installation, context, directory, tree, parts });
      await share.#findVolumes(description);
      signal.throwIfAborted();
      await share.#listen(description);
      share.#openPoints(description);
      return share;
    } catch (error) {
      await parts.close();
      throw error;
    }
  }

  private constructor(given: {
    readonly name: string;
    readonly installation: Installation;
    readonly context: Pick<JobContext, "reporter" | "clock">;
    readonly directory: ShareDirectory;
    readonly tree: VolumeTree;
    readonly parts: ServerParts;
  }) {
    const { reporter } = given.context;
    this.#name = given.name;
    this.#installation = given.installation;
    this.#context = given.context;
    this.#directory = given.directory;
    this.#tree = given.tree;
    this.#parts = given.parts;
    this.#closing = new AbortController();
    this.#tell = tellOnce((error) => reporter.warn(`share ${given.name}: ${messageOf(error)}`));
    this.#files = new PointFiles(this.#tree.files, this.#tree.stage, (volume) => this.#removed(volume));
  }

  /** Path under which hosts mount. */
  get path(): string {
    return exportPath(this.#name);
  }

  /** Resolves when hosts find all disks that are described so far. Until then the share goes on trying. */
  async ready(): Promise<void> {
    await Promise.all(this.#points.values());
  }

  /** Serves the points that were added to the description, beside the others. */
  async reload(): Promise<void> {
    this.#openPoints(await this.#directory.description());
  }

  /** Makes all that was written durable and hangs up; hosts wait for the next start. The points stay held. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.ready();
    for (const point of this.#opened) this.#parts.onClose(() => point.close());
    for (const volume of this.#volumes.values()) this.#parts.onClose(() => volume.close());
    this.#parts.onClose(async () => await this.#server?.close());
    await this.#parts.close();
  }

  async #listen({ fileSystemId, port, portmapPort, host, allow }: ShareDescription): Promise<void> {
    this.#server = await NfsServer.listen({
      files: this.#files,
      fileSystemId: BigInt(fileSystemId),
      path: this.path,
      port,
      allow,
      ...(host !== undefined && { host }),
      ...(portmapPort !== undefined && { portmapPort }),
      onError: (error) => {
        // What a volume answers by itself is told where it comes from.
        if (!(error instanceof NfsStatusError) && !this.#closing.signal.aborted) this.#tell(error);
      },
    });
  }

  /** Files of earlier starts: their handles are known before the first host asks. */
  async #findVolumes({ points }: ShareDescription): Promise<void> {
    for (const point of points) {
      for (const [at, disk] of point.disks.entries()) {
        const entry = await this.#tree.find(volumeName(point, at), disk);
        if (entry !== undefined) await this.#openVolume(entry, disk.path);
      }
    }
  }

  #openPoints({ points, cacheBytes }: ShareDescription): void {
    for (const point of points) {
      if (!this.#points.has(point.hold)) this.#points.set(point.hold, this.#openPoint(point, cacheBytes));
    }
  }

  /** Tries until it succeeds or the share is closed. */
  async #openPoint(description: SharedPointDescription, cacheBytes: number | undefined): Promise<void> {
    const { signal } = this.#closing;
    const { reporter, clock = systemClock } = this.#context;
    let point: SharedPoint | undefined;
    for (let isReady = false; !isReady && !signal.aborted;) {
      try {
        point ??= await this.#open(description, { reporter, clock, signal, cacheBytes });
        for (const disk of point.disks) await this.#show(disk);
        isReady = true;
      } catch (error) {
        if (!signal.aborted) this.#tell(error);
        await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
      }
    }
  }

  async #open(
    description: SharedPointDescription,
    context: Pick<JobContext, "reporter" | "signal"> & {
      readonly clock: Clock;
      readonly cacheBytes: number | undefined;
    },
  ): Promise<SharedPoint> {
    const point = await SharedPoint.open(this.#installation, this.#directory, description, context);
    this.#opened.push(point);
    return point;
  }

  async #show({ description, volume: name, view, name: overlaid }: SharedDisk): Promise<void> {
    const known = this.#tree.table.of(name);
    if (known?.isRemoved === true) return;
    if (known !== undefined && (await this.#tree.find(name, description)) === undefined) {
      const kept = this.#directory.overlayOf(name);
      this.#tell(new Error(`the file of ${description.path} is gone; what was written to it is still in ${kept}`));
      return;
    }
    const capacityBytes = 2 * view.logicalBytes + GIBIBYTE;
    const entry = known ?? (await this.#tree.make(name, view.logicalBytes, capacityBytes));
    const volume = this.#volumes.get(name) ?? (await this.#openVolume(entry, description.path));
    await volume.attach(view, overlaid);
    await this.#tree.place(entry, description);
  }

  async #openVolume(entry: VolumeEntry, path: string): Promise<VolumeFile> {
    const volume = await VolumeFile.open({
      files: this.#tree.files,
      entry,
      overlayDirectory: this.#directory.overlayOf(entry.name),
      onDamage: (error) => this.#tell(new Error(`${path}: ${error.message}`, { cause: error })),
      signal: this.#closing.signal,
    });
    this.#volumes.set(entry.name, volume);
    this.#files.place(volume);
    return volume;
  }

  async #removed(volume: VolumeFile): Promise<void> {
    const [name] = [...this.#volumes].find(([, one]) => one === volume) ?? [];
    if (name === undefined) return;
    // Its file is gone: what fails here is done by the next start.
    try {
      await this.#tree.noteRemoved(name);
      await volume.discard();
    } catch (error) {
      this.#tell(error);
    }
  }
}

/** Path under which hosts mount a share. */
export function exportPath(name: string): string {
  return `/ovault/${name}`;
}
