import { NotFoundError, UsageError } from "@ovault/contract";

export interface Naming<T> {
  /** For people: `VM`. */
  readonly kind: "VM" | "host" | "disk";
  /** For people: the lab, or the VM that the candidates belong to. */
  readonly owner: string;
  readonly nameOf: (candidate: T) => string;
  /** How a list shows a candidate. Default: its name. */
  readonly listed?: (candidate: T) => string;
  /** How to tell candidates of the same name apart, for people. */
  readonly describe: (candidate: T) => string;
}

/**
 * The candidate with this id or name.
 * @throws NotFoundError; UsageError when several have the name
 */
export function named<T extends { readonly id: string }>(
  candidates: readonly T[],
  wanted: string,
  { kind, owner, nameOf, listed = nameOf, describe }: Naming<T>,
): T {
  const byId = candidates.find(({ id }) => id === wanted);
  if (byId !== undefined) return byId;
  const [found, ...more] = candidates.filter((candidate) => nameOf(candidate) === wanted);
  if (found === undefined) {
    throw new NotFoundError(`${owner} has no ${kind} ${wanted}`, {
      hint: `${LISTS[kind]}: ${candidates.map(listed).join(", ") || "none"}.`,
    });
  }
  if (more.length === 0) return found;
  const described = [found, ...more].map((one) => `${one.id} (${describe(one)})`);
  throw new UsageError(`${owner} has ${described.length} ${kind}s named ${wanted}`, {
    hint: `Use an id: ${described.join(", ")}.`,
  });
}

const LISTS = { VM: "VMs", host: "Hosts", disk: "Disks" } as const;
