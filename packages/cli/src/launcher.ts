import { fileURLToPath } from "node:url";

/** The file that starts ovault. The built file lies as deep in the package as this source. */
export const LAUNCHER = fileURLToPath(new URL("../bin/ovault.js", import.meta.url));
