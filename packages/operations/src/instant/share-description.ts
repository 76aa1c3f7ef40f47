import { randomBytes } from "node:crypto";

import { z } from "zod";

import { name } from "../jobs/job-fields.ts";

/** `DOMAIN/images/IMAGE/VOLUME`, below the root of the share. */
const volumePath = z.string().refine((path) => {
  const names = path.split("/");
  return names.every((one) => one !== "" && one !== "." && one !== ".." && !one.includes("\0"));
}, "must be names with / between them");

const sharedDisk = z.strictObject({
  /** Id of the disk in the point. */
  disk: name,
  path: volumePath,
  /** What hosts find there: the disk itself, or a QCOW2 file that holds it. */
  format: z.enum(["raw", "cow"]),
});

const sharedPoint = z.strictObject({
  destination: name.optional(),
  /** Whole id. */
  point: name,
  /** Name of the hold on it: a random UUID. */
  hold: z.uuid(),
  disks: z.array(sharedDisk).min(1).readonly(),
});

const port = z.int().min(1).max(65_535);

/** What a share serves, and to whom. A file says so: the share is started from it again after a crash or a reboot. */
export const shareDescriptionSchema = z
  .strictObject({
    version: z.literal(1),
    /** Of NFS: part of every handle. */
    fileSystemId: z.string().regex(/^[1-9]\d{0,17}$/),
    port,
    /** For clients that are given no ports: 111. */
    portmapPort: port.optional(),
    /** Default: all addresses of this machine. */
    host: name.optional(),
    /** Addresses and networks of the hosts. */
    allow: z.array(name).min(1).readonly(),
    /** Memory for blocks that were read, for each point. Default: 256 MiB. */
    cacheBytes: z.int().min(0).optional(),
    points: z.array(sharedPoint).readonly(),
  })
  .superRefine(({ points }, context) => {
    const paths = points.flatMap(({ disks }) => disks.map(({ path }) => path));
    const holds = points.map(({ hold }) => hold);
    if (new Set(paths).size < paths.length) context.addIssue({ code: "custom", message: "two disks have one path" });
    if (new Set(holds).size < holds.length) context.addIssue({ code: "custom", message: "two points have one hold" });
  });

export type ShareDescription = Readonly<z.output<typeof shareDescriptionSchema>>;
export type SharedPointDescription = ShareDescription["points"][number];
export type SharedDiskDescription = SharedPointDescription["disks"][number];

export function newFileSystemId(): string {
  return String(1n + BigInt(`0x${randomBytes(7).toString("hex")}`));
}
