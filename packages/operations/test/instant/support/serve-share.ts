import { Redactor } from "@ovault/core";
import { Installation } from "@ovault/operations";

import { PointShare } from "../../../src/instant/point-share.ts";

/**
 * Serves a share until SIGTERM: `serve-share.ts OVAULT_YAML NAME`. Prints `listening` and `ready`. SIGHUP has it read its
 * description again.
 */
const [configFile = "", name = ""] = process.argv.slice(2);
const aborting = new AbortController();
const { signal } = aborting;
const warn = (text: string): void => void process.stderr.write(`${text}\n`);
const reporter = { note: warn, warn };
const installation = await Installation.open({
  configFile,
  debug: false,
  redactor: new Redactor(),
  reporter,
  signal,
});
const share = await PointShare.open(installation, name, { reporter, signal });
process.on("SIGTERM", () => {
  void (async () => {
    await share.close();
    aborting.abort();
    await installation[Symbol.asyncDispose]();
    process.exit(0);
  })();
});
process.on("SIGHUP", () => {
  void (async () => {
    await share.reload();
    await share.ready();
    process.stdout.write("reloaded\n");
  })();
});
process.stdout.write("listening\n");
await share.ready();
process.stdout.write("ready\n");
