import type { OvfDescription } from "../../ovf/read-ovf.ts";

/**
 * Content of firmware and TPM that a restored machine lacks, for people: it is not on a disk, and engines export it
 * only with the configuration of a snapshot and never import it.
 */
export function lostFirmware({ tpm, uefi }: Pick<OvfDescription, "tpm" | "uefi">): readonly string[] {
  return [
    ...(tpm
      ? ["the new machine's TPM is empty: have the recovery keys of what it unlocks (BitLocker, LUKS) at hand"]
      : []),
    ...(uefi
      ? ["the new machine's UEFI variables are empty: boot entries and Secure Boot keys of its own must be made again"]
      : []),
  ];
}
