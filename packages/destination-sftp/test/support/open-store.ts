import { onTestFinished } from "vitest";

import { type SftpSettings, SftpStore } from "@ovault/destination-sftp";

/** Closed with the test that opened it. */
export async function openStore(settings: SftpSettings): Promise<SftpStore> {
  const store = await SftpStore.open(settings, new AbortController().signal);
  onTestFinished(() => store.close());
  return store;
}
