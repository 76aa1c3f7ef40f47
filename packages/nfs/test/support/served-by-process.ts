import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("serve.ts", import.meta.url));

/** A temporary directory that a process of its own serves, so that it can be killed. */
export class ServedByProcess implements AsyncDisposable {
  readonly directory: string;
  #port = 0;
  #process: ChildProcess | undefined;

  static async serve(): Promise<ServedByProcess> {
    const served = new ServedByProcess(await mkdtemp(join(tmpdir(), "ovault-nfs-")));
    await served.start();
    return served;
  }

  private constructor(directory: string) {
    this.directory = directory;
  }

  get port(): number {
    return this.#port;
  }

  /** At the same port as before. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [SCRIPT, this.directory, String(this.#port)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line]: unknown[] = await once(child.stdout, "data");
    this.#port = Number(String(line));
    this.#process = child;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Takes the store away, or brings it back. */
  toggleStore(): void {
    this.#process?.kill("SIGUSR2");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}
