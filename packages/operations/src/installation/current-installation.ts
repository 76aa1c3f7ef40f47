import { callObserver, UsageError } from "@ovault/contract";

import type { Installation } from "./installation.ts";

/** An installation in use: it stays open until this is disposed of. */
export interface InstallationInUse<T = Installation> extends Disposable {
  readonly installation: T;
}

/** What `CurrentInstallation` needs of an installation. */
export interface Replaceable extends AsyncDisposable {
  /** Finds out whether jobs can use it, without contacting anything. @throws the reason why they cannot */
  check(): Promise<void>;
}

/** One installation, from its opening until it is closed. */
interface Generation<T> {
  readonly installation: T;
  readonly closed: PromiseWithResolvers<void>;
  users: number;
  replaced: boolean;
}

/**
 * The installation of a process that reads ovault.yaml again while jobs run. A job keeps the installation that it began
 * with; one that was replaced is closed when its last user is gone. One whose `check` fails never becomes current. The
 * code of plugins stays as it was first loaded.
 */
export class CurrentInstallation<T extends Replaceable = Installation> implements AsyncDisposable {
  readonly #open: () => Promise<T>;
  readonly #onCloseFailure: (error: unknown) => void;
  readonly #unclosed = new Set<Generation<T>>();
  /** Undefined after the end. */
  #current: Generation<T> | undefined;
  #lastReload: Promise<void> = Promise.resolve();

  private constructor(open: () => Promise<T>, onCloseFailure: (error: unknown) => void) {
    this.#open = open;
    this.#onCloseFailure = onCloseFailure;
  }

  /**
   * @param open opens an installation, such as `Installation.open` does; it need not check anything
   * @param onCloseFailure receives what closing a replaced installation throws, which concerns no job
   * @throws what `open` or the installation's `check` throws
   */
  static async open<T extends Replaceable>(
    open: () => Promise<T>,
    onCloseFailure: (error: unknown) => void,
  ): Promise<CurrentInstallation<T>> {
    const current = new CurrentInstallation(open, onCloseFailure);
    current.#begin(await current.#openChecked());
    return current;
  }

  /** The installation that is current now. @throws UsageError after the end */
  use(): InstallationInUse<T> {
    const generation = this.#current;
    if (generation === undefined) throw ended();
    generation.users += 1;
    let inUse = true;
    return {
      installation: generation.installation,
      [Symbol.dispose]: () => {
        if (!inUse) return;
        inUse = false;
        generation.users -= 1;
        this.#closeIfUnused(generation);
      },
    };
  }

  /**
   * Opens and checks a new installation, then puts it in the place of the present one. Calls run one after the other.
   * @throws what `open` or the installation's `check` throws; then the present installation stays
   */
  async reload(): Promise<void> {
    const reload = this.#lastReload.then(() => this.#replace());
    this.#lastReload = reload.catch(() => {});
    await reload;
  }

  /** Ends `use` and `reload` and resolves when all installations are closed, which is when the last user is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#retire();
    await this.#lastReload;
    await Promise.all([...this.#unclosed].map(({ closed }) => closed.promise));
  }

  async #replace(): Promise<void> {
    if (this.#current === undefined) throw ended();
    const next = await this.#openChecked();
    // A process may end while it reads its configuration.
    const isOver = this.#current === undefined;
    this.#retire();
    this.#begin(next);
    if (!isOver) return;
    this.#retire();
    throw ended();
  }

  async #openChecked(): Promise<T> {
    const installation = await this.#open();
    try {
      await installation.check();
      return installation;
    } catch (error) {
      await this.#dispose(installation);
      throw error;
    }
  }

  #begin(installation: T): void {
    this.#current = { installation, closed: Promise.withResolvers(), users: 0, replaced: false };
    this.#unclosed.add(this.#current);
  }

  #retire(): void {
    const generation = this.#current;
    if (generation === undefined) return;
    this.#current = undefined;
    generation.replaced = true;
    this.#closeIfUnused(generation);
  }

  /** Called after a generation was replaced and after each user left it, so it is true once. */
  #closeIfUnused(generation: Generation<T>): void {
    if (generation.replaced && generation.users === 0) void this.#close(generation);
  }

  async #close(generation: Generation<T>): Promise<void> {
    await this.#dispose(generation.installation);
    this.#unclosed.delete(generation);
    generation.closed.resolve();
  }

  /** Never rejects. */
  async #dispose(installation: T): Promise<void> {
    try {
      await installation[Symbol.asyncDispose]();
    } catch (error) {
      callObserver(() => this.#onCloseFailure(error));
    }
  }
}

function ended(): UsageError {
  return new UsageError("the installation is closed", { hint: "Its process has disposed of it: open another one." });
}
