import { messageOf, observe, type RunHooks, type VirtualMachine } from "@ovault/contract";

import { readOvf } from "../ovf/read-ovf.ts";

/**
 * Warns about parts that the configuration should hold and lacks: engines include the content of a TPM and the UEFI
 * variables only in the configuration of a snapshot, and not all engines do. Unreadable text never fails a backup: it
 * is stored unchanged, with a warning.
 */
export function warnOfFirmware(vm: VirtualMachine, ovf: string, hooks: Pick<RunHooks, "warning">): void {
  const warn = (message: string): void => observe(hooks.warning, message);
  try {
    const { tpm, uefi, firmware } = readOvf(ovf);
    if (tpm && !firmware.has("tpm")) {
      warn(
        `the content of the TPM of ${vm.name} is not in this point: keep the recovery keys of what it unlocks elsewhere`,
      );
    }
    if (uefi && !firmware.has("nvram")) {
      warn(`the UEFI variables of ${vm.name} are not in this point: boot entries and keys of its own would be lost`);
    }
  } catch (error) {
    warn(`the configuration of ${vm.name} is kept as it is, but cannot be read: ${messageOf(error)}`);
  }
}
