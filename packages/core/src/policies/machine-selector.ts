import type { VirtualMachine } from "@ovault/contract";

/** Answers which of these machines are meant. */
export type MachineSelector = (machines: readonly VirtualMachine[]) => readonly VirtualMachine[];
