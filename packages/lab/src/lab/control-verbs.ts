import { z } from "zod";

import { diskInterfaces } from "../engine/engine-state.ts";
import { faultModes } from "../engine/faults.ts";
import type { GuestWrite } from "../hypervisor/hypervisor.ts";
import { hostChangeNames } from "./host-changes.ts";
import type { LabControl } from "./lab-control.ts";

const bytes = z.int().nonnegative();
const range = { offset: bytes, length: bytes };
const guestWrite: z.ZodType<GuestWrite> = z.union([
  z.strictObject({ ...range, kind: z.literal("pattern"), pattern: z.int().min(0).max(255) }),
  z.strictObject({ ...range, kind: z.literal("random"), seed: z.string() }),
  z.strictObject({ ...range, kind: z.literal("zero") }),
  z.strictObject({ ...range, kind: z.literal("discard") }),
]);
const newDisk = z
  .strictObject({
    alias: z.string().min(1),
    virtualBytes: bytes,
    format: z.enum(["raw", "cow"]),
    interface: z.enum(diskInterfaces).optional(),
  })
  .transform(({ interface: connection, ...disk }) => ({
    ...disk,
    ...(connection === undefined ? {} : { interface: connection }),
  }));
const graceful = z.strictObject({ graceful: z.boolean() });
const onHost = z.tuple([z.string(), z.string().optional()]);
const nothing = z.tuple([]);

type Verb = (lab: LabControl, args: unknown) => Promise<unknown>;

/** Pairs the schema of a verb's arguments from another process with its call. */
function verb<A>(args: z.ZodType<A>, call: (lab: LabControl, args: A) => Promise<unknown>): Verb {
  return (lab, given) => call(lab, args.parse(given));
}

/** All calls over the socket, by the names of LabControl. Arguments are an array. */
export const controlVerbs: ReadonlyMap<string, Verb> = new Map([
  ["status", verb(nothing, (lab) => lab.status())],
  ["faults", verb(nothing, (lab) => lab.faults())],
  ["leftovers", verb(nothing, (lab) => lab.leftovers())],
  ["stop", verb(nothing, (lab) => lab.stop())],
  ["write", verb(z.tuple([z.string(), z.string(), guestWrite]), (lab, args) => lab.write(...args))],
  ["view", verb(z.tuple([z.string(), z.string()]), (lab, args) => lab.view(...args))],
  ["fault", verb(z.tuple([z.string(), z.enum(faultModes)]), (lab, args) => lab.fault(...args))],
  ["powerOff", verb(z.tuple([z.string(), graceful]), (lab, args) => lab.powerOff(...args))],
  ["powerOn", verb(onHost, (lab, args) => lab.powerOn(...args))],
  ["migrate", verb(onHost, (lab, args) => lab.migrate(...args))],
  ["changeHost", verb(z.tuple([z.string(), z.enum(hostChangeNames)]), (lab, args) => lab.changeHost(...args))],
  ["guest", verb(z.tuple([z.string()]), (lab, args) => lab.guest(...args))],
  ["addDisk", verb(z.tuple([z.string(), newDisk]), (lab, args) => lab.addDisk(...args))],
  ["removeDisk", verb(z.tuple([z.string(), z.string()]), (lab, args) => lab.removeDisk(...args))],
  ["resizeDisk", verb(z.tuple([z.string(), z.string(), bytes]), (lab, args) => lab.resizeDisk(...args))],
]);
