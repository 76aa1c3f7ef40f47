import type { Socket } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { TunnelError } from "../errors.ts";
import { AfterMark } from "../session/after-mark.ts";
import { ChannelPool } from "../session/channel-pool.ts";
import { remoteProgram } from "../session/remote-program.ts";
import type { SshSession } from "../session/ssh-session.ts";
import { listenLocally } from "./local-listener.ts";
import type { Tunnel } from "./tunnel.ts";

/** Prints the first tool that can connect to the socket `$1`. oVirt's hosts have Python, in one of these places. */
const FIND_TOOL = `
[ -S "$1" ] || { echo "there is no socket $1" >&2; exit 1; }
for tool in python3 /usr/libexec/platform-python python; do
  "$tool" -c "import socket, threading" >/dev/null 2>&1 && echo "$tool" && exit
done
for tool in socat nc; do
  command -v "$tool" >/dev/null && echo "$tool" && exit
done
echo "there is no python, socat or nc" >&2; exit 1`;

const BRIDGE = `
case $1 in
  socat) exec socat -t 60 -b 262144 - "UNIX-CONNECT:$2" ;;
  nc)
    # OpenBSD's passes the end of input on only with -N, which others do not know.
    case $(nc -h 2>&1) in *[[:space:]]-N[[:space:]]*) exec nc -N -U "$2" ;; *) exec nc -U "$2" ;; esac ;;
  *) exec "$1" -c "$3" "$2" ;;
esac`;

/** For Python 2.7 and 3. Ends when the server behind the socket does. */
const PYTHON = `
import os, socket, sys, threading
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
def send():
    data = os.read(0, 262144)
    while data:
        server.sendall(data)
        data = os.read(0, 262144)
    server.shutdown(socket.SHUT_WR)
sender = threading.Thread(target=send)
sender.daemon = True
sender.start()
data = server.recv(262144)
while data:
    while data:
        data = data[os.write(1, data):]
    data = server.recv(262144)
`;

/**
 * For servers that forward nothing: a command on the server connects to the socket, and its standard streams carry the
 * data, on connections of their own. One command for each local connection.
 * @throws TunnelError when there is no socket, or nothing to connect to it with
 */
export async function openExecBridge(session: SshSession, remoteSocket: string, signal: AbortSignal): Promise<Tunnel> {
  const { stdout, stderr, exitCode } = await session.run(FIND_TOOL, [remoteSocket], { signal, accept: [0, 1] });
  const tool = stdout.trim();
  if (exitCode !== 0) throw new TunnelError(stderr.trim());
  const pool = await ChannelPool.open(session.server, signal);
  try {
    const { lost } = await pool.connection(signal);
    const closing = new AbortController();
    const listener = await listenLocally((socket) =>
      bridge(socket, pool, [tool, remoteSocket, PYTHON], closing.signal),
    );
    const ended = lost.then(async (reason) => {
      closing.abort();
      pool.close();
      await listener.close();
      return reason;
    });
    return {
      address: { path: listener.path },
      carrier: `ssh2 and ${tool} on the server`,
      ended,
      close: async () => {
        pool.close();
        await ended;
      },
    };
  } catch (error) {
    pool.close();
    throw error;
  }
}

async function bridge(socket: Socket, pool: ChannelPool, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { line, preamble, mark } = remoteProgram(BRIDGE, { args, kind: "streaming" });
  const { channel } = await pool.exec(line, { use: "long", signal });
  channel.stderr.resume();
  channel.write(preamble);
  const filter = new AfterMark(mark, (bytes) => output.push(bytes));
  const output = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      filter.add(bytes);
      done();
    },
  });
  await Promise.all([pipeline(socket, channel), pipeline(channel, output, socket)]);
}
