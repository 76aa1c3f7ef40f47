import { z } from "zod";

/** Opened by firewalls of oVirt hosts, for migrations; libvirt takes the next port as well when one is in use. */
const MIGRATION_PORTS = "49152-49215";
const FIRST_FREE_PORT = 1024;
const LAST_PORT = 65_535;

const portRange = z
  .string()
  .regex(/^\d{1,5}(-\d{1,5})?$/, "must be a port or a range of ports: 49152-49215")
  .transform((text) => {
    const [first = 0, last = first] = text.split("-").map(Number);
    return { first, last };
  })
  .refine(
    ({ first, last }) => first >= FIRST_FREE_PORT && first <= last && last <= LAST_PORT,
    `must lie between ${FIRST_FREE_PORT} and ${LAST_PORT}, the lower port first`,
  );

/** The field `netcat` in ovault.yaml. Absent: all data goes through SSH. */
export const netcatOptions = z.strictObject({
  /** Data crosses the network as it is on the disks. This states that everything on that network may see it. */
  trustedNetwork: z.literal(true, "netcat sends disks in the clear: `trustedNetwork: true` must state that it may"),
  /** The network for the data: each host listens on its own address in it. Default: the address that SSH uses. */
  network: z.union([z.cidrv4(), z.cidrv6()], "must be a network, like 10.9.0.0/24").optional(),
  /** Ports of the hosts to use, the first free one. */
  ports: portRange.prefault(MIGRATION_PORTS),
});

export type NetcatOptions = z.output<typeof netcatOptions>;
