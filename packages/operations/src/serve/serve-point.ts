import { tmpdir } from "node:os";
import { join } from "node:path";

import { type DiskRecord, messageOf, UsageError } from "@ovault/contract";
import { newRunId } from "@ovault/core";
import type { NbdExport } from "@ovault/nbd";

import type { Installation } from "../installation/installation.ts";
import type { JobContext } from "../job-context.ts";
import { removeLeftovers } from "../leftovers/leftovers.ts";
import { findDiskRecord } from "../select/find-disk-record.ts";
import { findPoint } from "../select/find-point.ts";
import { holdServedPoint } from "./hold-served-point.ts";
import { parseListenAddress } from "./listen-address.ts";
import { openServedDisks } from "./open-served-disks.ts";
import {
  findLeftServers,
  makeServerDirectory,
  NO_MANAGER,
  SERVER,
  type ServerDirectory,
  serverDirectoryName,
} from "./server-directory.ts";
import { ServerParts } from "./server-parts.ts";
import type { ServeJob } from "./serve-job.ts";
import { tellOnce } from "./tell-once.ts";

export interface ServedDisk {
  readonly id: string;
  readonly index: number;
  readonly alias: string;
  readonly logicalBytes: number;
  readonly uri: string;
}

/** A server of a point, until it is closed. */
export interface PointServer {
  /** Id of the point. */
  readonly point: string;
  readonly writable: boolean;
  readonly disks: readonly ServedDisk[];
  /** Disconnects all clients, and removes what the server has made. */
  close(): Promise<void>;
}

const DEFAULT_CACHE_BYTES = 256 * 1024 ** 2;
/** Together they bound what clients can make the server keep in memory to 1 GiB. */
const MOST_CONNECTIONS = 32;
const CONNECTION_BUDGET_BYTES = 32 * 1024 ** 2;
/** sockaddr_un of Linux, without its last byte. */
const MOST_SOCKET_PATH_BYTES = 107;

/**
 * Serves disks of a point by NBD. The point is held first, so that prune keeps it.
 * @throws NotFoundError; NbdConnectionError when the address is taken
 */
export async function servePoint(installation: Installation, job: ServeJob, context: JobContext): Promise<PointServer> {
  const { reporter, signal } = context;
  const address = job.listen === undefined ? undefined : parseListenAddress(job.listen);
  await clearLeftServers(installation, context);
  const store = await installation.points(job.from);
  const point = await findPoint(store, job.point, context, { manager: job.manager });
  const records =
    job.disks.length === 0 ? point.disks : [...new Set(job.disks.map((wanted) => findDiskRecord(point, wanted)))];
  const server = new ServerParts();
  try {
    const runId = newRunId();
    const hold = await holdServedPoint(store, point, runId, context);
    server.onClose(async () => await hold?.release());
    const ledger = await (await installation.ledger()).forRun({ runId, manager: NO_MANAGER, strategy: SERVER });
    server.onClose(() => ledger.end());
    const directory = async (parent: string): Promise<ServerDirectory> => {
      const path = join(parent, serverDirectoryName(runId));
      const made = await makeServerDirectory(ledger, path, `files of the server of ${point.id}: ${path}`);
      server.onClose(() => made.remove());
      return made;
    };
    const overlays = job.writable ? await directory(installation.configuration.stateDirectory) : undefined;
    const { cacheBytes = DEFAULT_CACHE_BYTES } = job;
    const disks = await openServedDisks(store, { point, records }, { cacheBytes, signal });
    server.onClose(() => disks.close());
    const exports = new Map<string, NbdExport>();
    // Loaded on demand: no other job needs them.
    const { exportOf, OverlayDisk } = await import("@ovault/disk-image");
    const { formatNbdUri, NbdServer } = await import("@ovault/nbd");
    for (const [name, { disk, record }] of disks.byName) {
      const overlay = overlays && (await OverlayDisk.create(disk, join(overlays.path, `${exports.size}.overlay`)));
      if (overlay !== undefined) server.onClose(() => overlay.close());
      const { alias } = record.disk;
      const onError = tellOnce((error) => reporter.warn(`${point.id}, disk ${alias}: ${messageOf(error)}`));
      exports.set(name, exportOf(overlay ?? disk, { description: alias, onError }));
    }
    const place = address ?? { path: socketIn((await directory(tmpdir())).path) };
    const nbd = await NbdServer.listen(place, {
      exports,
      connectionBudgetBytes: CONNECTION_BUDGET_BYTES,
      maxConnections: MOST_CONNECTIONS,
    });
    server.onClose(() => nbd.close());
    const served = [...disks.byName].map(([exportName, { record }]) => {
      const uri = formatNbdUri({ address: nbd.address, exportName, tls: false });
      return describeDisk(record, uri);
    });
    return { point: point.id, writable: job.writable, disks: served, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

function describeDisk({ disk: { id, index, alias }, stats: { logicalBytes } }: DiskRecord, uri: string): ServedDisk {
  return { id, index, alias, logicalBytes, uri };
}

/** @throws UsageError when the system takes no path as long as that */
function socketIn(directory: string): string {
  const path = join(directory, "nbd.sock");
  if (Buffer.byteLength(path) <= MOST_SOCKET_PATH_BYTES) return path;
  throw new UsageError(`the path of a socket may have ${MOST_SOCKET_PATH_BYTES} bytes: ${path}`, {
    hint: (field) => `Set TMPDIR to a directory with a shorter path, or take ${field("listen")}.`,
  });
}

/** Removes what servers left that were killed. What cannot be removed stays in the ledger, for doctor. */
async function clearLeftServers(
  installation: Installation,
  { reporter, signal }: Pick<JobContext, "reporter" | "signal">,
): Promise<void> {
  for (const { entry, error } of await removeLeftovers(installation, await findLeftServers(installation), signal)) {
    if (error === undefined) reporter.note(`removed what an earlier server left: ${entry.title}`);
    else reporter.note(`warning: could not remove ${entry.title}: ${messageOf(error)} (see ovault doctor)`);
  }
}
