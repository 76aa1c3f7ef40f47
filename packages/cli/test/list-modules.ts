import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";

/** Loaded with `node --import`: writes the address of each module that the process loads to OVAULT_MODULES_FILE, one a line. */
const { OVAULT_MODULES_FILE: file } = process.env;
const addresses: string[] = [];

registerHooks({
  load: (address, context, next) => {
    addresses.push(address);
    return next(address, context);
  },
});

process.on("exit", () => {
  if (file !== undefined) writeFileSync(file, addresses.join("\n"));
});
