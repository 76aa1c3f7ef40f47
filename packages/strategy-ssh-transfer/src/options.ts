import { z } from "zod";

import { snapshotOptions } from "@ovault/ovirt";
import { checkServer, serverShape } from "@ovault/ssh";

import { netcatOptions } from "./netcat/netcat-options.ts";

const { host: address, port: _port, user, ...ways } = serverShape;
const { hostKey: _hostKey, knownHosts: _knownHosts, ...secrets } = ways;

/** How to log in at hosts. Their addresses and ports come from the engine, and so do their keys unless given here. */
const login = z.strictObject({ user, ...ways }).superRefine(checkServer);

/** One host: where it differs from what the engine or the more general login says. */
const hostLogin = z
  .strictObject({
    user: user.optional(),
    ...ways,
    /** Default: the address that the engine has for the host. */
    address: address.optional(),
    port: z.int().min(1).max(65_535).optional(),
  })
  .superRefine((chosen, context) => {
    if (chosen.user !== undefined) checkServer(chosen, context);
    else if (Object.keys(secrets).some((way) => way in chosen)) {
      context.addIssue({ code: "custom", message: "a login names its user", path: ["user"] });
    }
  });

/** The options of this plugin, under `strategies:` in ovault.yaml. Without any login it takes no disk. */
export const optionsSchema = z.strictObject({
  /** For hosts that neither `clusters` nor `hosts` has a login for. */
  login: login.optional(),
  /** By the name of the cluster. */
  clusters: z.record(z.string(), login).default({}),
  /** By the name of the host. */
  hosts: z.record(z.string(), hostLogin).default({}),
  /** Where hosts see the storage of a data center. */
  dataCenterDirectory: z
    .string()
    .regex(/^\/[^\0]*$/, "must be an absolute path")
    .default("/rhev/data-center"),
  /** Connections to a host for each disk. */
  connectionsPerDisk: z.int().min(1).max(16).default(4),
  /** Silence of a host, in seconds, after which a read fails. */
  timeoutSeconds: z.int().min(5).max(3_600).default(120),
  netcat: netcatOptions.optional(),
  ...snapshotOptions,
});

export type SshTransferOptions = z.output<typeof optionsSchema>;
export type LoginOptions = z.output<typeof login>;
export type HostOptions = z.output<typeof hostLogin>;
