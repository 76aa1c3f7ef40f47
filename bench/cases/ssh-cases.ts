import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { OpenSshServer } from "@ovault/test-support/open-ssh-server";

import type { Case, Contender } from "../case.ts";
import { mostlyRandomImage } from "../images.ts";
import { serveImage } from "../serve-image.ts";

const worker = fileURLToPath(new URL("../workers/read-over-ssh.ts", import.meta.url));

const GIB = 2 ** 30;

/** Of an SSH tunnel: the carriers by the name that people see. */
const WAYS = { openssh: "OpenSSH", ssh2: "ssh2", bridge: "a command on the server", direct: "without SSH" } as const;

/** nbdcopy through a tunnel, beside plain `ssh`. */
async function nbdcopyCase(): Promise<Case> {
  const { server, socket, image, close } = await serve();
  const ssh = ["ssh", "-F", "/dev/null", "-p", `${server.port}`, "-i", join(server.home, "user")];
  const trusting = ["-o", `UserKnownHostsFile=${join(server.home, "known_hosts")}`, `${server.user}@127.0.0.1`];
  const pipe = `"$@" > /dev/null`;
  const read = [`dd if=${image} bs=1M status=none`];
  const gcm = ["-c", "aes128-gcm@openssh.com"];
  const { ours, others } = ways("nbdcopy", server, socket);
  return {
    name: "ssh-nbdcopy",
    dataBytes: GIB,
    ours,
    others: [
      ...others,
      { name: "ssh … dd", command: () => ["sh", "-c", pipe, "sh", ...ssh, ...trusting, ...read] },
      { name: "ssh … dd, AES-GCM", command: () => ["sh", "-c", pipe, "sh", ...ssh, ...gcm, ...trusting, ...read] },
    ],
    close,
  };
}

/** Our client with four connections through a tunnel. */
async function clientCase(): Promise<Case> {
  const { server, socket, close } = await serve();
  return { name: "ssh-client", dataBytes: GIB, ...ways("client", server, socket), close };
}

function ways(reader: string, server: OpenSshServer, socket: string): Pick<Case, "ours" | "others"> {
  const contender = (way: keyof typeof WAYS): Contender => ({
    name: `${reader === "client" ? "our client" : reader}, ${WAYS[way]}`,
    needs: reader === "client" ? "ssh" : reader,
    command: () => [process.execPath, worker, reader, way, socket, server.home, `${server.port}`, server.user],
  });
  return { ours: contender("openssh"), others: [contender("ssh2"), contender("bridge"), contender("direct")] };
}

interface Served {
  readonly server: OpenSshServer;
  readonly socket: string;
  readonly image: string;
  readonly close: () => Promise<void>;
}

/** sshd and qemu-nbd, whose CPU is not counted. */
async function serve(): Promise<Served> {
  const image = await mostlyRandomImage();
  const nbd = await serveImage(image, "raw");
  const server = await OpenSshServer.start();
  const close = async (): Promise<void> => {
    await server.stop();
    await nbd.close();
    await rm(image, { force: true });
  };
  return { server, socket: nbd.socket, image, close };
}

export const sshCases: Readonly<Record<string, () => Promise<Case>>> = {
  "ssh-nbdcopy": nbdcopyCase,
  "ssh-client": clientCase,
};
