import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { measure } from "./measure.ts";
import { product, type Product } from "./product.ts";
import { workDirectory } from "./work-directory.ts";

const run = promisify(execFile);

/** A disk for the plugin of image files. */
export interface Image {
  /** A raw file, or an NBD URI. */
  readonly source: string;
  /** A JSON file of changed ranges. */
  readonly changes?: string;
}

export interface SiteOptions {
  /** Disks by name of the machine. */
  readonly machines: Readonly<Record<string, readonly Image[]>>;
  /** As in ovault.yaml; default: a directory of this site. */
  readonly destination?: object;
  /** Settings of the destination of any kind. */
  readonly settings?: object;
}

const DIRECTORY = { type: "filesystem", directory: "repository" };

/** An ovault.yaml with machines whose disks are images, and a destination: a place to run the product. */
export class Site {
  readonly directory: string;
  /** The repository, if the destination is a directory. */
  readonly repository: string;
  readonly #product: Product;

  static async open(name: string, options: SiteOptions): Promise<Site> {
    const site = new Site(join(workDirectory, "sites", name), await product());
    await rm(site.directory, { recursive: true, force: true });
    await mkdir(site.directory, { recursive: true });
    await site.configure(options);
    return site;
  }

  private constructor(directory: string, installed: Product) {
    this.directory = directory;
    this.repository = join(directory, "repository");
    this.#product = installed;
  }

  /** Rewrites ovault.yaml; what is stored stays. */
  async configure({ machines, destination = DIRECTORY, settings }: SiteOptions): Promise<void> {
    const configuration = {
      plugins: this.#product.imagesPlugins,
      managers: { images: { type: "images", machines } },
      destinations: { here: { ...destination, ...settings } },
    };
    // JSON is YAML.
    await writeFile(join(this.directory, "ovault.yaml"), JSON.stringify(configuration), { mode: 0o600 });
  }

  /** A command line of ovault at this site. */
  command(...args: readonly string[]): readonly string[] {
    return this.#product.command(...args, "--config", join(this.directory, "ovault.yaml"));
  }

  /** Runs a command outside of the measurement. */
  async run(...args: readonly string[]): Promise<void> {
    await measure(this.command(...args));
  }

  /** Makes an empty repository with empty caches. */
  async fresh(): Promise<void> {
    await this.clear();
    await this.run("destination", "init");
  }

  /** Removes repository and state. */
  async clear(): Promise<void> {
    for (const part of ["repository", "ovault-state"]) {
      await rm(join(this.directory, part), { recursive: true, force: true });
    }
  }

  /** Saves the current state for `goBack`. */
  async keep(): Promise<void> {
    await copyTree(this.directory, `${this.directory}.kept`);
  }

  async goBack(): Promise<void> {
    await copyTree(`${this.directory}.kept`, this.directory);
  }

  async remove(): Promise<void> {
    for (const path of [this.directory, `${this.directory}.kept`]) await rm(path, { recursive: true, force: true });
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await run("cp", ["-a", from, to]);
}
