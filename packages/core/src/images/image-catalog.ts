import {
  type DiskRecord,
  type ImageStore,
  IntegrityError,
  type ObjectKey,
  ObjectNotFoundError,
  processIdentity,
  type RecoveryPoint,
  RepositoryVersionError,
  type StoredImage,
  systemClock,
} from "@ovault/contract";
import { plainProtection } from "../format/protection.ts";
import { pointKey } from "../format/layout.ts";
import { Reserve } from "../format/reserve.ts";
import { heldLeases } from "../leases/held-leases.ts";
import { isHold } from "../leases/hold-lease.ts";
import { liveLeases } from "../leases/live-leases.ts";
import { putVoid } from "../leases/void.ts";
import { LostMarks } from "../losses/lost-marks.ts";
import type { ManifestPlace } from "../points/claim-point.ts";
import type { ManagerNames } from "../points/manager-names.ts";
import { goneError } from "../points/gone-error.ts";
import { holdPoint, type HoldPointOptions, type PointHold } from "../points/point-hold.ts";
import { RecoveryPoints } from "../points/recovery-points.ts";
import { newRunId } from "../util/run-id.ts";
import { imageKey, imagesOfFolder, imagesOfPoint, pointIdIn } from "./image-keys.ts";

/** Names alone: nothing here is sealed, and no chunk gets an id. */
const protection = plainProtection("blake3");

/** Deadline of removing images when a hold ends. */
const REMOVAL_MS = 10_000;

const isRun = (resource: string): boolean => !isHold(resource);

type PointName = Pick<RecoveryPoint, "vm" | "id">;

/** The run that removes, and when. */
interface Removal {
  readonly runId: string;
  readonly at: Date;
}

/** Manifests beside images: whatever has no sealed manifest is left over. */
export class ImageCatalog extends RecoveryPoints {
  readonly images: ImageStore;
  readonly place: ManifestPlace;
  /** For what frees room when the store is full. */
  readonly reserve: Reserve;

  constructor(images: ImageStore, managers: ManagerNames | undefined) {
    const reserve = new Reserve(images.objects);
    const store = reserve.guarded();
    super({ store, reserve, protection }, () => undefined, managers);
    this.images = images;
    this.reserve = reserve;
    this.place = { store, protection, points: this };
  }

  keyOfImage({ vm, id }: PointName, diskId: string): string {
    return imageKey(protection.folderOf(vm.id), id, diskId);
  }

  /** @throws IntegrityError when there is no such image, or it has another size */
  async openImage(point: PointName, { disk, stats }: DiskRecord, signal: AbortSignal): Promise<StoredImage> {
    const context = { point: point.id, disk: disk.id };
    const what = `the image of disk ${disk.alias} of recovery point ${point.id}`;
    let image: StoredImage;
    try {
      image = await this.images.open(this.keyOfImage(point, disk.id), { signal });
    } catch (cause) {
      if (!(cause instanceof ObjectNotFoundError)) throw cause;
      throw new IntegrityError(`${what} is gone`, { cause, context });
    }
    if (image.logicalBytes === stats.logicalBytes) return image;
    await image.close();
    throw new IntegrityError(`${what} has ${image.logicalBytes} bytes instead of ${stats.logicalBytes}`, { context });
  }

  /**
   * Images share blocks, but none needs another: those of the point go at once, or when it is held no more. The mark
   * comes before the look at holds, and a hold before its look at the mark, so that one of the two sees the other.
   */
  override async forget(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    await super.forget(point, signal);
    await this.#removeForgotten(point, newRunId(), signal);
  }

  async hold(point: RecoveryPoint, options: HoldPointOptions): Promise<PointHold> {
    const spare = async (held: RecoveryPoint, signal: AbortSignal, isFound: boolean): Promise<void> => {
      if (typeof (await this.stateOf(held, signal)) !== "string") return;
      // A claim that came before the mark has kept the images.
      const prefix = imagesOfPoint(protection.folderOf(held.vm.id), held.id);
      if (!isFound || (await this.#keysBelow(prefix, signal)).length < held.disks.length) throw goneError(held);
    };
    const hold = await holdPoint({ store: this.place.store, keyOf: (held) => this.keyOf(held), spare }, point, options);
    return {
      signal: hold.signal,
      assertHeld: (signal) => hold.assertHeld(signal),
      release: async () => {
        await hold.release();
        await this.#removeIfForgotten(point, options.runId).catch(() => undefined);
      },
    };
  }

  async removeImages({ vm, id }: PointName, signal: AbortSignal): Promise<void> {
    const keys = await this.#keysBelow(imagesOfPoint(protection.folderOf(vm.id), id), signal);
    for (const key of keys) await this.images.delete(key, { signal });
  }

  /**
   * Removes what runs that failed or died have left of this machine, and what remains of forgotten points. For a run
   * that holds the lease of the machine and has stored nothing yet.
   */
  async removeLeftovers({ vm, id: ownId }: PointName, { runId, at }: Removal, signal: AbortSignal): Promise<void> {
    const { marked } = await this.listForgotten(signal);
    const folder = protection.folderOf(vm.id);
    const forgotten = marked.filter((key) => key.startsWith(pointKey(folder, "")));
    const keys = await this.#keysBelow(imagesOfFolder(folder), signal);
    const ids = new Set([...forgotten, ...keys].map(pointIdIn));
    let claimed: ReadonlySet<ObjectKey> | undefined;
    for (const id of ids) {
      const point = { vm, id };
      let state = await this.#stateOf(point, signal);
      // Left by an earlier copy of this name, and removed before this one stores anything.
      if (state === "absent" && id === ownId) continue;
      if (state === "absent") {
        // Machines of several managers share the folder, and have leases of their own.
        claimed ??= await this.#claimedManifests(signal);
        if (claimed.has(this.keyOf(point))) continue;
        // A manifest that comes late, or that this store does not show yet, must not find its images gone.
        await putVoid(this.place.store, this.keyOf(point), { runId, at: at.toISOString() }, signal);
        state = await this.#stateOf(point, signal);
      }
      if (state === "void") await this.removeImages(point, signal);
      if (state === "forgotten") await this.#removeForgotten(point, runId, signal);
    }
  }

  /** What runs that are under way are going to seal. */
  async #claimedManifests(signal: AbortSignal): Promise<ReadonlySet<ObjectKey>> {
    const leases = await heldLeases(this.place.store, { concerns: isRun, clock: systemClock, signal });
    return new Set(leases.flatMap(({ claim }) => claim.seals));
  }

  async #keysBelow(prefix: string, signal: AbortSignal): Promise<readonly ObjectKey[]> {
    const keys: ObjectKey[] = [];
    for await (const { key } of this.images.list(prefix, { signal })) keys.push(key);
    return keys;
  }

  async #stateOf(point: PointName, signal: AbortSignal) {
    try {
      return await this.stateOf(point, signal);
    } catch (error) {
      if (error instanceof IntegrityError || error instanceof RepositoryVersionError) return "unreadable";
      throw error;
    }
  }

  /** What is left then, the next run of the machine removes. */
  async #removeIfForgotten(point: PointName, runId: string): Promise<void> {
    const signal = AbortSignal.timeout(REMOVAL_MS);
    if ((await this.#stateOf(point, signal)) === "forgotten") await this.#removeForgotten(point, runId, signal);
  }

  /**
   * Leaves a point that is held. The manifest goes last: as long as it is there, the next run knows that the rest may
   * go.
   */
  async #removeForgotten(point: PointName, runId: string, signal: AbortSignal): Promise<void> {
    const holder = { runId, ...processIdentity() };
    const options = { concerns: isHold, takeOverAs: holder, clock: systemClock, signal };
    const holds = await liveLeases(this.place.store, options);
    if (holds.some(({ claim }) => claim.holds.includes(this.keyOf(point)))) return;
    await this.removeImages(point, signal);
    await (await LostMarks.read(this.place, signal, point)).set(point, [], signal);
    await this.delete(this.keyOf(point), signal);
  }
}
