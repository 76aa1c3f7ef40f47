import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";

import { Repository, resolveSecret, retrying, type ObjectStore, type Plugin } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";
import s3 from "@ovault/destination-s3";
import sftp from "@ovault/destination-sftp";

/** A destination that is not a directory, as `destinations:` of ovault.yaml would name it; kept in a JSON file. */
export interface DestinationFile {
  readonly type: "s3" | "sftp";
  readonly options: unknown;
}

const { signal } = new AbortController();

/** `destination`: a directory, or a file that ends in `.json`. Makes the repository where there is none. */
export async function openRepository(destination: string): Promise<Repository> {
  const store = await openStore(destination);
  const options = { signal };
  return (await isEmpty(store)) ? Repository.create(store, options) : Repository.open(store, options);
}

async function openStore(destination: string): Promise<ObjectStore> {
  if (!destination.endsWith(".json")) {
    if (!existsSync(destination)) await mkdir(destination, { recursive: true });
    return FilesystemStore.open(destination);
  }
  const { type, options }: DestinationFile = JSON.parse(await readFile(destination, "utf8"));
  return type === "s3" ? openWith(s3, options) : openWith(sftp, options);
}

async function openWith<O>(plugin: Plugin<"destination", O>, options: unknown): Promise<ObjectStore> {
  const baseDirectory = import.meta.dirname;
  const host = {
    baseDirectory,
    readOnly: false,
    secret: (reference: Parameters<typeof resolveSecret>[0]) => resolveSecret(reference, { baseDirectory }),
    signal,
  };
  const parsed = plugin.options.parse(options);
  await plugin.prepare?.(parsed, host);
  return retrying(await plugin.create(parsed, host));
}

async function isEmpty(store: ObjectStore): Promise<boolean> {
  for await (const _ of store.list("", { signal })) return false;
  return true;
}
