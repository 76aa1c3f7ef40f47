import { LocalFileSystem, NfsServer } from "../../src/index.ts";

/**
 * Serves a directory until it is killed: `serve.ts DIRECTORY PORT [PORTMAP_PORT]`. Prints the port. SIGUSR2 takes the
 * store away, and the next one brings it back.
 */
const [directory = ".", port = "0", portmapPort] = process.argv.slice(2);
const files = await LocalFileSystem.open(directory, { owner: { uid: 36, gid: 36 } });
let isGone = false;
process.on("SIGUSR2", () => (isGone = !isGone));
const read = files.read.bind(files);
files.read = async (...call) => {
  if (isGone) throw new Error("the store does not answer");
  return await read(...call);
};
const server = await NfsServer.listen({
  files,
  fileSystemId: 0x6f76n,
  path: "/exports/web",
  allow: ["127.0.0.1"],
  host: "127.0.0.1",
  port: Number(port),
  ...(portmapPort !== undefined && { portmapPort: Number(portmapPort) }),
  onError: (error) => {
    if (!isGone) process.stderr.write(`${String(error)}\n`);
  },
});
process.stdout.write(`${server.port}\n`);
