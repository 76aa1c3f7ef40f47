import type { DeleteMarkerEntry, ListObjectVersionsCommandOutput, ObjectVersion } from "@aws-sdk/client-s3";

import { StorePermissionError } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { keepsVersions } from "./keeps-versions.ts";
import { holdOn, type ObjectVersionName } from "./object-lock.ts";
import { decodeName } from "./object-name.ts";

/**
 * Removes an object for good, with all its versions and their space: in a bucket with versions a plain delete only
 * hides the object, frees nothing, and "succeeds" on an object that is held.
 * @throws StorePermissionError when a version is held; nothing newer than that was touched.
 */
export async function removeObject(bucket: Bucket, name: string, signal: AbortSignal): Promise<void> {
  if (!(await keepsVersions(bucket, signal))) return await remove(bucket, { name }, signal);
  for (const version of await versionsOf(bucket, name, signal)) await removeVersion(bucket, { name, version }, signal);
}

async function removeVersion(bucket: Bucket, object: Required<ObjectVersionName>, signal: AbortSignal): Promise<void> {
  try {
    await remove(bucket, object, signal);
  } catch (error) {
    if (!(error instanceof StorePermissionError)) throw error;
    const hold = await holdOn(bucket, object, signal).catch(() => undefined);
    if (hold === undefined) throw error;
    const until = hold.until.toISOString();
    throw new StorePermissionError(`${object.name} in ${bucket.place} is held until ${until}`, {
      cause: error,
      context: { ...object, until },
      hint: "Object lock holds it; from then on it can be deleted.",
    });
  }
}

async function remove(bucket: Bucket, { name, version }: ObjectVersionName, signal: AbortSignal): Promise<void> {
  await bucket.call({ what: `delete ${name}`, signal }, (client, options) =>
    client.deleteObject({ Bucket: bucket.name, Key: name, VersionId: version }, options),
  );
}

/** The oldest first, so that no replaced version reappears; delete markers last. */
async function versionsOf(bucket: Bucket, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const versions: string[] = [];
  const markers: string[] = [];
  const isOurs = ({ Key = "" }: ObjectVersion | DeleteMarkerEntry): boolean => decodeName(Key) === name;
  for (let from: From | undefined = {}; from !== undefined;) {
    const page = await versionsPage(bucket, { name, from }, signal);
    versions.push(...(page.Versions ?? []).filter(isOurs).map(({ VersionId = "null" }) => VersionId));
    markers.push(...(page.DeleteMarkers ?? []).filter(isOurs).map(({ VersionId = "null" }) => VersionId));
    // This name sorts before all longer names that begin with it.
    const more = page.IsTruncated === true && decodeName(page.NextKeyMarker ?? "") === name;
    from = more ? { KeyMarker: name, VersionIdMarker: page.NextVersionIdMarker } : undefined;
  }
  return [...versions.toReversed(), ...markers];
}

interface From {
  readonly KeyMarker?: string;
  readonly VersionIdMarker?: string | undefined;
}

async function versionsPage(
  bucket: Bucket,
  { name, from }: { readonly name: string; readonly from: From },
  signal: AbortSignal,
): Promise<ListObjectVersionsCommandOutput> {
  return await bucket.call({ what: `list the versions of ${name}`, signal }, (client, options) =>
    client.listObjectVersions({ Bucket: bucket.name, Prefix: name, EncodingType: "url", ...from }, options),
  );
}
