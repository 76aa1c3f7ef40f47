import type { LabFixture } from "./lab-fixture.ts";

/** The steps of a backup product, as short as they can be said. */
export interface OpenedBackup {
  /** `/vms/{id}/backups/{id}` */
  readonly path: string;
  readonly id: string;
  readonly toCheckpointId: string | undefined;
}

export function vmIdOf({ lab }: Pick<LabFixture, "lab">, name = "web"): string {
  const vm = lab.vms.find((candidate) => candidate.name === name);
  if (vm === undefined) throw new Error(`no VM ${name}`);
  return vm.id;
}

export function diskIdsOf({ lab }: Pick<LabFixture, "lab">, name = "web"): readonly [string, string] {
  const [first, second] = lab.vms.find((vm) => vm.name === name)?.disks ?? [];
  if (first === undefined || second === undefined) throw new Error(`VM ${name} has not two disks`);
  return [first.id, second.id];
}

export function backupXml(diskIds: readonly string[], fromCheckpointId?: string): string {
  const disks = diskIds.map((id) => `<disk id="${id}"/>`).join("");
  const from = fromCheckpointId === undefined ? "" : `<from_checkpoint_id>${fromCheckpointId}</from_checkpoint_id>`;
  return `<backup>${from}<disks>${disks}</disks></backup>`;
}

export async function openBackup(
  fixture: LabFixture,
  diskIds: readonly string[],
  fromCheckpointId?: string,
): Promise<OpenedBackup> {
  const { client } = fixture;
  const vmPath = `/vms/${vmIdOf(fixture)}/backups`;
  const started = await client.post(vmPath, backupXml(diskIds, fromCheckpointId));
  const id = started.xml.attribute("id") ?? "";
  const path = `${vmPath}/${id}`;
  const ready = await client.untilText(path, "phase", "ready");
  return { path, id, toCheckpointId: ready.xml.text("to_checkpoint_id") };
}

/** Starts a transfer and waits until it has a ticket. Answers with its path and URL. */
export async function openTransfer(
  { client }: LabFixture,
  xml: string,
): Promise<{ readonly path: string; readonly url: string }> {
  const started = await client.post("/imagetransfers", `<image_transfer>${xml}</image_transfer>`);
  if (started.status !== 201) throw new Error(`${started.status} ${started.text}`);
  const path = `/imagetransfers/${started.xml.attribute("id")}`;
  const ready = await client.untilText(path, "phase", "transferring");
  return { path, url: ready.xml.text("transfer_url") ?? "" };
}

export function downloadXml(diskId: string, backupId: string): string {
  return `<backup id="${backupId}"/><disk id="${diskId}"/><direction>download</direction><format>raw</format>`;
}

/** Finalizes a backup and waits until the machine is free again. */
export async function finalizeBackup({ client }: LabFixture, backup: OpenedBackup): Promise<void> {
  const answer = await client.post(`${backup.path}/finalize`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  await client.until(backup.path, ({ status, xml }) => status === 404 || xml.text("phase") === "succeeded");
}

/** One backup from begin to end, nothing read. Answers with the id of its checkpoint. */
export async function takeBackup(fixture: LabFixture, diskIds: readonly string[], from?: string): Promise<string> {
  const backup = await openBackup(fixture, diskIds, from);
  await finalizeBackup(fixture, backup);
  return backup.toCheckpointId ?? "";
}
