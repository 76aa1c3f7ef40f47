import { access, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { UsageError, type SecretReference } from "@ovault/contract";
import { parseConfiguration, resolveSecret } from "@ovault/core";
import { createRepository, type CreatedRepository, Installation } from "@ovault/operations";
import { OvirtManager, type CertificateFacts } from "@ovault/ovirt";
import { stringify } from "yaml";

import { collect, examples, type CommandContext, type Define } from "../command.ts";
import { destinationFrom, type DestinationOptions } from "../destination-options.ts";
import { encryptionFrom, type KeyOptions } from "../encryption-options.ts";
import { facts, text, type View } from "../output/view.ts";
import { Questions } from "../questions.ts";
import { parseSecretReference } from "../secret-option.ts";
import { trustedCa, type TrustedCa } from "../trusted-ca.ts";
import { keyAdvice } from "../key-advice.ts";
import { placeText } from "../place-text.ts";

/** A person waits: reports an engine that does not answer at once, instead of assuming a restart. */
const PATIENCE_MS = 5_000;

interface InitOptions extends DestinationOptions, KeyOptions {
  readonly url?: string;
  readonly user?: string;
  readonly password?: string;
  readonly caFile?: string;
  readonly caFingerprint?: string;
  readonly encrypt?: boolean;
  readonly managerName: string;
  readonly destinationName: string;
}

interface CertificateName {
  readonly subject: string;
  readonly fingerprint: string;
}

export interface InitResult {
  readonly config: string;
  readonly manager: { readonly name: string; readonly url: string; readonly user: string; readonly product: string };
  /** The engine's CA, and all newly trusted certificates. */
  readonly ca: CertificateName & { readonly certificates: readonly CertificateName[] };
  readonly destination: {
    readonly name: string;
    readonly type: string;
    /** Directory of a filesystem destination. */
    readonly directory: string | null;
    /** False when a repository existed already. */
    readonly created: boolean;
    readonly encrypted: boolean;
    /** Path of the newly created key file, if any. */
    readonly madeKeyFile: string | null;
  };
}

export const define: Define = (command, invoke) => {
  command
    .option("--url <url>", "the engine: https://ENGINE/ovirt-engine (also as …/api, or with /v3)")
    .option("--user <user>", "with its profile: admin@internal, or with Keycloak admin@ovirt@internalsso")
    .option("--password <reference>", "where the password is found: env:NAME, file:PATH or command:PROGRAM ARGUMENT…")
    .option("--ca-file <path>", "the engine's CA in PEM form, instead of asking the engine for it")
    .option("--ca-fingerprint <sha256>", "accept the engine's CA if it has this fingerprint, without asking")
    .option("--destination <directory>", "directory for the backups; made if it does not exist, its parent must")
    .option("--destination-type <type>", "another kind of destination: s3, sftp (default: filesystem)")
    .option("--destination-option <key=value>", "an option of it, with a value as in ovault.yaml; repeatable", collect)
    .option("--encrypt", "encrypt the new repository, by one of:")
    .option(
      "--passphrase <reference>",
      "where its passphrase is found: env:NAME, file:PATH or command:PROGRAM ARGUMENT…",
    )
    .option("--key-file <path>", "its key file; made if it does not exist")
    .option("--manager-name <name>", "name of the engine in ovault.yaml", "engine")
    .option("--destination-name <name>", "name of the destination in ovault.yaml", "backup")
    .addHelpText(
      "after",
      examples(
        ["ovault init", "asks for everything"],
        ["ovault init --url https://engine.example.com/ovirt-engine --user admin@internal \\", ""],
        ["  --password file:/etc/ovault/password --destination /srv/ovault", "asks about the CA only"],
        ["ovault init --encrypt --key-file /etc/ovault/backup.key", "encrypted, with a new key file"],
        ["ovault init --destination-type s3 --destination-option bucket=backups \\", ""],
        [
          "  --destination-option 'credentials={ accessKeyId: { env: ID }, secretAccessKey: { env: KEY } }'",
          "in a bucket",
        ],
      ),
    )
    .action((options: InitOptions) =>
      invoke(command, async (context) => {
        const { result, repository } = await initialize(context, options);
        return { data: result, view: [...resultView(result, placeText(repository)), ...keyAdvice(repository)] };
      }),
    );
};

/** Checks everything first, then creates the repository, then writes ovault.yaml; never changes an existing file. */
export async function initialize(
  context: CommandContext,
  options: InitOptions,
): Promise<{ readonly result: InitResult; readonly repository: CreatedRepository }> {
  const { configFile, signal } = context;
  await refuseExisting(configFile);
  const questions = new Questions(signal);
  const url = options.url ?? (await questions.ask("Engine (https://ENGINE/ovirt-engine)", { option: "--url" }));
  const ca = await trustedCa({ url, file: options.caFile, fingerprint: options.caFingerprint }, context, questions);
  const user = options.user ?? (await questions.ask("User", { option: "--user", fallback: "admin@internal" }));
  const password = parseSecretReference(
    options.password ?? (await questions.ask("Where is the password (env:NAME, file:PATH)", { option: "--password" })),
    "password",
  );
  const product = await login(context, { url, user, password, ca });
  const destination = await destinationFrom(options, questions);
  const encryption = await encryptionFrom(options, questions);
  const { managerName, destinationName } = options;
  const configuration = stringify({
    managers: {
      [managerName]: { type: "ovirt", url, user, password, ca: { pem: pemOf(ca) }, fingerprint: ca.pin },
    },
    destinations: { [destinationName]: { ...destination, ...(encryption !== undefined && { encryption }) } },
  });
  await using installation = await Installation.open(context, parseConfiguration(configuration, configFile));
  const repository = await createRepository(installation, destinationName, context);
  await writeFile(configFile, configuration, { mode: 0o600, flag: "wx" });
  const { created, madeKeyFile } = repository;
  const { type, directory } = destination;
  const result = {
    config: configFile,
    manager: { name: managerName, url, user, product },
    ca: { ...nameInResult(ca.certificates[0]), certificates: ca.certificates.map(nameInResult) },
    destination: {
      name: destinationName,
      type,
      directory: typeof directory === "string" ? directory : null,
      created,
      encrypted: encryption !== undefined,
      madeKeyFile,
    },
  };
  return { result, repository };
}

function pemOf({ certificates }: TrustedCa): string {
  return certificates.map(({ pem }) => pem).join("");
}

function nameInResult({ subject, fingerprint }: CertificateFacts): CertificateName {
  return { subject: subject.replaceAll("\n", ", "), fingerprint };
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
    trust: { ca: ca.certificates.map(({ pem }) => pem), fingerprint: ca.pin },
    timings: { restartBudgetMs: PATIENCE_MS },
  });
  try {
    const { product } = await manager.capabilities(signal);
    return `${product.name} ${product.version.full}`;
  } finally {
    await manager.close();
  }
}

function resultView({ config, manager, ca, destination }: InitResult, place: string): View {
  return [
    facts([
      ["engine", `${manager.name}: ${manager.product} at ${manager.url}, as ${manager.user}`],
      ...ca.certificates.map(({ subject, fingerprint }): [string, string] => [
        "CA",
        `${subject}, SHA-256 ${fingerprint}`,
      ]),
      ["destination", `${destination.name}: ${destination.directory ?? destination.type} (${place})`],
      ["written", config],
    ]),
    text("Next: ovault doctor, then ovault vms"),
  ];
}
