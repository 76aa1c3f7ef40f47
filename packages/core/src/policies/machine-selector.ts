import type { VirtualMachine } from "@ovault/contract";

/** Returns the machines that the selector matches. */
export type MachineSelector = (machines: readonly VirtualMachine[]) => readonly VirtualMachine[];
