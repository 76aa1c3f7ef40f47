import { NewVolumeError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";

/** It reads the tables of a disk of many TiB. */
const DEADLINE_MS = 3_600_000;
/** Exit codes of qemu-img check: incomplete, damaged; and clusters that belong to nothing, which costs space alone. */
const [INCOMPLETE, DAMAGED, LEAKS] = [1, 2, 3];

/** Lets QEMU check a QCOW2 volume that nothing has open. @throws NewVolumeError when it is damaged */
export async function checkVolume(
  hypervisor: Hypervisor,
  { path, alias }: { readonly path: string; readonly alias: string },
  signal: AbortSignal,
): Promise<void> {
  const { host } = hypervisor;
  const options = { signal, deadlineMs: DEADLINE_MS, accept: [0, INCOMPLETE, DAMAGED, LEAKS] };
  const { exitCode, stdout, stderr } = await hypervisor.run('qemu-img check -f qcow2 "$1"', [path], options);
  if (exitCode === 0 || exitCode === LEAKS) return;
  const says = `${stderr}\n${stdout}`.trim().split("\n")[0];
  throw new NewVolumeError(`the check of new disk ${alias} on host ${host.name} fails: ${says}`, {
    context: { host: host.id, hostName: host.name },
    hint: "Its storage may be faulty. The restore can be run again.",
  });
}
