/**
 * Holds a tunnel and a remote process until it is killed, as a process of its own:
 *
 *     tunnel-holder.ts HOME PORT USER SOCKET CARRIER
 *
 * Prints `{ "path": …, "remotePid": … }` when it holds them.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { type Carrier, openTunnel, sshServer, SshSession } from "@ovault/ssh";

const [home = "", port = "", user = "", socket = "", carrier = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const server = await sshServer(
  {
    host: "127.0.0.1",
    port: Number(port),
    user,
    authentication: { by: "key", key: await readFile(join(home, "user"), "utf8") },
    trust: { knownHosts: join(home, "known_hosts") },
  },
  30_000,
);
const session = await SshSession.open(server, signal);
const started = await session.start("sleep 1000 & echo $!; wait", [], { signal });
const tunnel = await openTunnel(session, socket, { signal, carriers: [carrier as Carrier] });
process.stdout.write(`${JSON.stringify({ path: tunnel.address.path, remotePid: Number(started.ready) })}\n`);
