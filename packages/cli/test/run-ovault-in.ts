import { runOvault } from "@ovault/test-support/ovault/run-ovault";

/** Runs command lines in a directory that is made later. */
export function runOvaultIn(directory: () => string) {
  return {
    /** `--json` results are parsed. */
    async ovault(...args: readonly string[]) {
      const { exitCode, stdout, stderr } = await runOvault([...args, "--json"], { cwd: directory() });
      const data: unknown = stdout === "" ? undefined : JSON.parse(stdout);
      return { exitCode, data, stderr };
    },
    /** For people. */
    async text(...args: readonly string[]): Promise<string> {
      return (await runOvault(args, { cwd: directory() })).stdout;
    },
  };
}
