import { afterAll } from "vitest";

import { SftpStore } from "@ovault/destination-sftp";
import { describeObjectStore } from "@ovault/testkit";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";

import { sftpSettings } from "./support/sftp-settings.ts";

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());

describeObjectStore("a directory on an SSH server", {
  runs: 8,
  open: async () => {
    const settings = await sftpSettings(server, await server.newDirectory());
    const store = await SftpStore.open(settings, signal);
    const second = await SftpStore.open(settings, signal);
    const dispose = async () => {
      await store.close();
      await second.close();
    };
    return { store, second, dispose };
  },
});
