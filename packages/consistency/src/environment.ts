import type { SecretReference, VirtualMachine } from "@ovault/contract";
import type { SecretsHost } from "@ovault/ssh";

/** Prefix of the names that ovault reserves. */
export const RESERVED_PREFIX = "OVAULT_";

export type Environment = Readonly<Record<string, string>>;

/** As configured. */
export type EnvironmentOptions = Readonly<Record<string, string | SecretReference>>;

/** Around the snapshot. */
export type Side = "before" | "after";

/** The purpose of a command. */
export interface Occasion {
  readonly vm: VirtualMachine;
  readonly runId: string;
  readonly side: Side;
}

/** The variables that a command gets besides the inherited ones. @throws ConfigurationError for a missing secret */
export async function environmentOf(
  configured: EnvironmentOptions,
  { vm, runId, side }: Occasion,
  host: SecretsHost,
): Promise<Environment> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(configured)) {
    own[name] = typeof value === "string" ? value : await host.secret(value);
  }
  const ours = {
    OVAULT_VM: vm.name,
    OVAULT_VM_ID: vm.id,
    OVAULT_MANAGER: vm.manager,
    OVAULT_RUN: runId,
    OVAULT_PHASE: side,
  };
  return mapValues({ ...own, ...ours }, withoutNul);
}

/** No environment can hold a NUL, and a machine's name may contain one. */
function withoutNul(value: string): string {
  return value.replaceAll("\0", "");
}

function mapValues(values: Environment, change: (value: string) => string): Environment {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
