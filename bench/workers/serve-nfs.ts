/** Serves a directory over NFSv3 at the usual ports, until it is killed: `serve-nfs.ts DIRECTORY`. Says when it does. */
import { LocalFileSystem, NfsServer } from "@ovault/nfs";

const [directory = "."] = process.argv.slice(2);
await NfsServer.listen({
  files: await LocalFileSystem.open(directory),
  fileSystemId: 1n,
  path: "/bench",
  allow: ["127.0.0.1"],
  portmapPort: 111,
});
process.stdout.write("serving\n");
