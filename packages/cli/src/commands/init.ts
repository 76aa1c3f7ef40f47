import { access, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { resolveSecret, UsageError, type SecretReference } from "@ovault/core";
import { OvirtManager } from "@ovault/ovirt";
import { stringify } from "yaml";

import { examples, type CommandContext, type Define } from "../command.ts";
import { createRepository } from "../create-repository.ts";
import { facts, text, type View } from "../output/view.ts";
import { Questions } from "../questions.ts";
import { parseSecretReference } from "../secret-option.ts";
import { trustedCa, type TrustedCa } from "../trusted-ca.ts";

/** A person waits: an engine that does not answer is told at once and not taken for one that restarts. */
const PATIENCE_MS = 5_000;

interface InitOptions {
  readonly url?: string;
  readonly user?: string;
  readonly password?: string;
  readonly caFile?: string;
  readonly caFingerprint?: string;
  readonly destination?: string;
  readonly managerName: string;
  readonly destinationName: string;
}

export interface InitResult {
  readonly config: string;
  readonly manager: { readonly name: string; readonly url: string; readonly user: string; readonly product: string };
  readonly ca: { readonly subject: string; readonly fingerprint: string };
  readonly destination: { readonly name: string; readonly directory: string; readonly created: boolean };
}

export const define: Define = (command, invoke) => {
  command
    .option("--url <url>", "the engine: https://ENGINE/ovirt-engine")
    .option("--user <user>", "with its profile: admin@internal, or with Keycloak admin@ovirt@internalsso")
    .option("--password <reference>", "where the password is found: env:NAME, file:PATH or command:PROGRAM ARGUMENT…")
    .option("--ca-file <path>", "the engine's CA in PEM form, instead of asking the engine for it")
    .option("--ca-fingerprint <sha256>", "accept the engine's CA if it has this fingerprint, without asking")
    .option("--destination <directory>", "directory for the backups; made if it does not exist, its parent must")
    .option("--manager-name <name>", "name of the engine in ovault.yaml", "engine")
    .option("--destination-name <name>", "name of the destination in ovault.yaml", "backup")
    .addHelpText(
      "after",
      examples(
        ["ovault init", "asks for everything"],
        ["ovault init --url https://engine.example.com/ovirt-engine --user admin@internal \\", ""],
        ["  --password file:/etc/ovault/password --destination /srv/ovault", "asks about the CA only"],
      ),
    )
    .action((options: InitOptions) =>
      invoke(command, async (context) => {
        const result = await initialize(context, options);
        return { data: result, view: resultView(result) };
      }),
    );
};

/** Checks everything first, then makes the repository, then writes ovault.yaml; a file that is there is never touched. */
export async function initialize(context: CommandContext, options: InitOptions): Promise<InitResult> {
  const { configFile, signal } = context;
  await refuseExisting(configFile);
  const questions = new Questions(signal);
  const url = options.url ?? (await questions.ask("Engine (https://ENGINE/ovirt-engine)", { option: "--url" }));
  const ca = await trustedCa({ url, file: options.caFile, fingerprint: options.caFingerprint }, context, questions);
  const user = options.user ?? (await questions.ask("User", { option: "--user", fallback: "admin@internal" }));
  const password = parseSecretReference(
    options.password ?? (await questions.ask("Where is the password (env:NAME, file:PATH)", { option: "--password" })),
  );
  const product = await login(context, { url, user, password, ca });
  const directory = resolve(
    options.destination ?? (await questions.ask("Directory for the backups", { option: "--destination" })),
  );
  const created = await createRepository(directory, signal);
  const { managerName, destinationName } = options;
  const configuration = {
    managers: {
      [managerName]: { type: "ovirt", url, user, password, ca: { pem: ca.pem }, fingerprint: ca.fingerprint },
    },
    destinations: { [destinationName]: { type: "filesystem", directory } },
  };
  await writeFile(configFile, stringify(configuration), { mode: 0o600, flag: "wx" });
  return {
    config: configFile,
    manager: { name: managerName, url, user, product },
    ca: { subject: ca.subject, fingerprint: ca.fingerprint },
    destination: { name: destinationName, directory, created },
  };
}

async function refuseExisting(file: string): Promise<void> {
  try {
    await access(file);
  } catch {
    return;
  }
  throw new UsageError(`${file} exists already`, {
    context: { file },
    hint: "Edit it, or name another file with --config. It is never overwritten.",
  });
}

/** Proves address, CA, user and password. Returns product and version. */
async function login(
  { redactor, signal, configFile }: CommandContext,
  engine: { url: string; user: string; password: SecretReference; ca: TrustedCa },
): Promise<string> {
  const password = await resolveSecret(engine.password, { baseDirectory: dirname(configFile), signal });
  redactor.add(password);
  const { url, user, ca } = engine;
  const manager = new OvirtManager("init", {
    url,
    user,
    password,
    trust: { ca: [ca.pem], fingerprint: ca.fingerprint },
    timings: { restartBudgetMs: PATIENCE_MS },
  });
  try {
    const { product } = await manager.capabilities(signal);
    return `${product.name} ${product.version.full}`;
  } finally {
    await manager.close();
  }
}

function resultView({ config, manager, ca, destination }: InitResult): View {
  return [
    facts([
      ["engine", `${manager.name}: ${manager.product} at ${manager.url}, as ${manager.user}`],
      ["CA", `${ca.subject}, SHA-256 ${ca.fingerprint}`],
      [
        "destination",
        `${destination.name}: ${destination.directory} (${destination.created ? "new" : "existing"} repository)`,
      ],
      ["written", config],
    ]),
    text("Next: ovault doctor, then ovault vms"),
  ];
}
