import type { S3Options } from "@ovault/destination-s3";
import type { OpenedObjectStore } from "@ovault/testkit";

import { openStore, prepareBucket } from "./s3-destination.ts";

/** A bucket of its own and two clients of it. */
export async function openTwice(options: S3Options): Promise<Required<OpenedObjectStore>> {
  await prepareBucket(options);
  const store = await openStore(options);
  const second = await openStore(options);
  const dispose = async () => {
    await store.close();
    await second.close();
  };
  return { store, second, dispose };
}
