import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, systemErrorCode } from "@ovault/contract";
import { ExportDomain, StorageDomainError, type Owner } from "@ovault/storage-domain";

import { StagingError, StagingOwnerError } from "../errors.ts";
import { exportsLine, ownUser, VDSM } from "./exports-line.ts";

const { R_OK, W_OK, X_OK } = constants;

/**
 * Opens the export domain that lies in a folder. Hosts wrote its files through the export, so that their owner shows
 * whom the export takes hosts for.
 *
 * @throws StagingError when the folder does not hold this domain: the engine's domain lies elsewhere
 * @throws StagingOwnerError when hosts write there as another user than they should, or this process cannot read or
 *   remove what they write
 */
export async function openStaging(folder: string, domainId: string): Promise<ExportDomain> {
  const domain = await ExportDomain.open(folder, domainId).catch((error: unknown) => {
    throw isDenied(error) ? wrongOwner(folder, messageOf(error), error) : notThere(folder, domainId, error);
  });
  try {
    await assertOwner(folder, domain);
    return domain;
  } catch (error) {
    await domain[Symbol.asyncDispose]();
    throw error;
  }
}

async function assertOwner(folder: string, { owner, metadata: { id } }: ExportDomain): Promise<void> {
  const { uid, gid } = await stat(folder);
  const right = [VDSM, ownProcess(), { uid, gid }];
  if (!right.some((one) => one.uid === owner.uid && one.gid === owner.gid)) {
    throw wrongOwner(
      folder,
      `hosts write there as ${asText(owner)}, and the folder belongs to ${asText({ uid, gid })}`,
    );
  }
  for (const part of ["images", "master/vms"]) {
    const path = join(folder, id, part);
    await access(path, R_OK | W_OK | X_OK).catch((error: unknown) => {
      throw systemErrorCode(error) === "EROFS" ? readOnly(folder, error) : wrongOwner(folder, messageOf(error), error);
    });
  }
}

function notThere(folder: string, domainId: string, cause: unknown): StagingError {
  const why = cause instanceof StorageDomainError ? cause.message : messageOf(cause);
  return new StagingError(`the engine's export domain does not lie in ${folder}: ${why}`, {
    cause,
    context: { folder, storageDomain: domainId },
    hint: "`staging` in ovault.yaml must be the folder that hosts mount as this domain. Is it mounted here?",
  });
}

function readOnly(folder: string, cause: unknown): StagingError {
  return new StagingError(`${folder} cannot be written`, {
    cause,
    context: { folder },
    hint: "Mount its file system read-write: what hosts export is removed after it was read.",
  });
}

function wrongOwner(folder: string, why: string, cause?: unknown): StagingOwnerError {
  const { uid, gid } = ownUser();
  const line = exportsLine({ folder, clients: ["HOST"] });
  return new StagingOwnerError(`the export of ${folder} has the wrong owner: ${why}`, {
    cause,
    context: { folder },
    hint: `Export it with: ${line}; then run \`exportfs -ra\`, and \`chown -R ${uid}:${gid} ${folder}\` once.`,
  });
}

function ownProcess(): Owner {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

function asText({ uid, gid }: Owner): string {
  return `${uid}:${gid}`;
}

function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(systemErrorCode(error) ?? "");
}
