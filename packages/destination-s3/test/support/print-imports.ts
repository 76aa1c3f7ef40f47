/** Prints every module that importing the plugin loads, and after a line those that using it loads. */
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    process.stdout.write(`${resolved.url}\n`);
    return resolved;
  },
});

const { default: plugin } = await import("@ovault/destination-s3");
process.stdout.write("--used--\n");
const host = { baseDirectory: ".", secret: async () => "secret", signal: AbortSignal.abort() };
await plugin.create({ bucket: "none", region: "none" }, host).catch(() => undefined);
