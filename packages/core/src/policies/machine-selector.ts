import type { VirtualMachine } from "../contract/virtual-machine.ts";

/** Answers which of these machines are meant. */
export type MachineSelector = (machines: readonly VirtualMachine[]) => readonly VirtualMachine[];
