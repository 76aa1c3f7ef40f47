import type { OvfDescription } from "../../ovf/read-ovf.ts";

/**
 * What a machine's firmware and TPM hold and a restored machine lacks, for people: they are no disks, and engines give them
 * out with the configuration of a snapshot alone, and take them back from none.
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
