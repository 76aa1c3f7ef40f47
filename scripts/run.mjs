// `npm run demo`, `npm run bench` and `npm run pack`: brings the workspace up, then runs a TypeScript file of it under its own Node.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { bin, bootstrap, root, workspaceEnvironment } from "./bootstrap.mjs";

const [file, ...args] = process.argv.slice(2);
const [purpose] = file.split("/");
bootstrap(purpose === "scripts" ? "pack" : purpose);
const { status } = spawnSync(join(bin, "node"), [join(root, file), ...args], {
  stdio: "inherit",
  env: workspaceEnvironment(),
});
process.exitCode = status ?? 1;
