// `npm run demo` and `npm run bench`: brings the workspace up, then runs a TypeScript file of it under its own Node.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { bin, bootstrap, root, workspaceEnvironment } from "./bootstrap.mjs";

const [file, ...args] = process.argv.slice(2);
bootstrap(file.startsWith("demo/") ? "demo" : "bench");
const { status } = spawnSync(join(bin, "node"), [join(root, file), ...args], {
  stdio: "inherit",
  env: workspaceEnvironment(),
});
process.exitCode = status ?? 1;
