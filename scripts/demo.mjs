// `npm run demo`: brings the workspace up, then runs the demo under the workspace's own Node.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { bin, bootstrap, root, workspaceEnvironment } from "./bootstrap.mjs";

bootstrap();
const args = [join(root, "demo", "demo.ts"), ...process.argv.slice(2)];
process.exitCode = spawnSync(join(bin, "node"), args, { stdio: "inherit", env: workspaceEnvironment() }).status ?? 1;
