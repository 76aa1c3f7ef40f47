import { findNfsPorts } from "../../src/index.ts";

/** Prints what the portmapper of this network says. */
process.stdout.write(JSON.stringify(await findNfsPorts("127.0.0.1", AbortSignal.timeout(10_000))));
