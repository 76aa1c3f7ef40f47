import { join, resolve } from "node:path";

import { UsageError, type SecretReference, KeyMissingError } from "@ovault/contract";
import { parseConfiguration, resolveSecret } from "@ovault/core";
import {
  connectLab,
  engineVersions,
  labConfiguration,
  products,
  startLab,
  writeLabConfiguration,
  type EngineVersion,
  type ConfigurableLab,
  type InDataCenter,
  type LabInventoryRequest,
  type LabOptions,
  type LabStatus,
  type LabVmRequest,
  type Product,
} from "@ovault/lab";
import { createRepository, Installation } from "@ovault/operations";
import { Option } from "commander";
import { stringify } from "yaml";

import { collect, examples, type CommandContext, type Define } from "../../command.ts";
import { facts, type View } from "../../output/view.ts";
import { parsePort } from "../../parse-port.ts";
import { announceReady, startDetached } from "./detached.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";
import { statusView } from "./status.ts";

interface StartOptions extends LabOption {
  readonly engineVersion?: EngineVersion;
  readonly product?: Product;
  readonly vm?: readonly string[];
  readonly down?: readonly string[];
  readonly tag?: readonly string[];
  readonly cluster?: readonly string[];
  readonly host?: readonly string[];
  readonly storageDomain?: readonly string[];
  readonly network?: readonly string[];
  readonly vnicProfile?: readonly string[];
  readonly port?: number;
  readonly imageioControl?: string;
  readonly imageioUrl?: string;
  readonly proxy: boolean;
  readonly encrypt?: boolean;
  readonly detach?: boolean;
}

/** Opens the destination of a lab that was started with --encrypt. */
const PASSPHRASE: SecretReference = { env: "OVAULT_PASSPHRASE" };

interface StartedLab extends LabStatus {
  readonly config: string;
  readonly passwordFile: string;
}

export const defineStart: Define = (command, invoke) => {
  command
    .addOption(new Option("--engine-version <version>", "release to play (default: 4.5)").choices(engineVersions))
    .addOption(new Option("--product <product>", "name to go by (default: ovirt)").choices(products))
    .option("--vm <name=image,…>", "a VM with copies of these qcow2 or raw files as disks; repeatable", collect)
    .option("--down <name>", "leave this VM powered off; repeatable", collect)
    .option("--tag <name=tag,…>", "tags of this VM; repeatable", collect)
    .option("--cluster <name[@data-center]>", "a further cluster, with a host; repeatable", collect)
    .option("--host <name[@cluster]>", "a further host; repeatable", collect)
    .option("--storage-domain <name[@data-center]>", "a further storage domain; repeatable", collect)
    .option("--network <name[@data-center]>", "a further network, with a vNIC profile; repeatable", collect)
    .option("--vnic-profile <name@network[@data-center]>", "a further vNIC profile; repeatable", collect)
    .option("--port <port>", "of the API, on 127.0.0.1 (default: any free one)", parsePort)
    .option("--imageio-control <socket>", "hand tickets to a real ovirt-imageio daemon: its control socket…")
    .option("--imageio-url <url>", "…and the URL where it serves images")
    .option("--no-proxy", "leave out ovault-proxy, the VM for the strategy disk-attachment to run in")
    .option("--encrypt", "encrypt the destination, with the passphrase in $OVAULT_PASSPHRASE")
    .option("--detach", "return when everything answers, and leave the lab running")
    .addHelpText(
      "after",
      examples(
        ["ovault lab start --dir lab --vm web01=root.qcow2,data.raw --detach", "a VM with two disks"],
        ["ovault lab start --dir lab", "the same lab again, until Ctrl-C"],
      ),
    )
    .action((options: StartOptions) =>
      invoke(command, async (context) => {
        const dir = await labDirectory(options, context);
        if (options.detach === true) {
          await startDetached(dir, context.signal);
          const lab = await describeLab(dir);
          return { data: lab, view: startedView(lab) };
        }
        const { ended } = await start({ ...options, dir }, context);
        const lab = await describeLab(dir);
        announceReady();
        return { data: lab, view: startedView(lab), running: ended };
      }),
    );
};

/** Starts the lab in this process and prepares it. The inner promise settles when the lab has ended. */
async function start(
  options: StartOptions & { readonly dir: string },
  context: CommandContext,
): Promise<{ readonly ended: Promise<void> }> {
  const { signal } = context;
  const passphrase = options.encrypt === true ? PASSPHRASE : undefined;
  if (passphrase !== undefined) await resolveSecret(passphrase, { baseDirectory: process.cwd(), signal });
  const lab = await startLab({ ...labOptions(options), signal });
  try {
    const { directory, url, user, vms, hosts, staging } = lab;
    const configurable = { directory, url, user, vms, hosts, staging, passphrase };
    await createDestination(configurable, context);
    await writeLabConfiguration(configurable);
  } catch (error) {
    await lab.stop();
    throw error;
  }
  return lab;
}

/** The destination of a new lab, regardless of later changes to its ovault.yaml. */
async function createDestination(lab: ConfigurableLab, context: CommandContext): Promise<void> {
  const configuration = parseConfiguration(stringify(labConfiguration(lab)), join(lab.directory, "ovault.yaml"));
  await using installation = await Installation.open(context, configuration);
  try {
    await createRepository(installation, configuration.defaults.destination, context);
  } catch (error) {
    // An existing lab keeps an encrypted destination; only its use needs the passphrase.
    if (!(error instanceof KeyMissingError)) throw error;
  }
}

function labOptions(options: StartOptions & { readonly dir: string }): LabOptions {
  const { dir, engineVersion, product, port, imageioControl, imageioUrl, proxy } = options;
  if ((imageioControl === undefined) !== (imageioUrl === undefined)) {
    throw new UsageError("--imageio-control and --imageio-url belong together");
  }
  return {
    directory: dir,
    vms: parseVms(options),
    inventory: parseInventory(options),
    proxy,
    staging: true,
    engineVersion,
    product,
    port,
    imageioControl: imageioControl && resolve(imageioControl),
    imageioUrl,
  };
}

function parseVms({ vm: written = [], down = [], tag: tagged = [] }: StartOptions): readonly LabVmRequest[] {
  const tags = new Map(tagged.map((text) => parseList("--tag", "TAG", text)));
  const vms = written.map((text) => {
    const [name, images] = parseList("--vm", "IMAGE", text);
    const paths = images.map((image) => resolve(image));
    return { name, images: paths, down: down.includes(name), tags: tags.get(name) ?? [] };
  });
  for (const [option, names] of [["--down", down] as const, ["--tag", [...tags.keys()]] as const]) {
    const unknown = names.find((name) => vms.every((vm) => vm.name !== name));
    if (unknown !== undefined) throw new UsageError(`${option} ${unknown}: there is no --vm of that name`);
  }
  return vms;
}

function parseInventory({
  cluster = [],
  host = [],
  storageDomain = [],
  network = [],
  vnicProfile = [],
}: StartOptions): LabInventoryRequest {
  return {
    clusters: cluster.map((written) => parsePlace("--cluster", written)),
    hosts: host.map((written) => {
      const { name, dataCenter: of } = parsePlace("--host", written, "NAME[@CLUSTER]");
      return { name, cluster: of };
    }),
    storageDomains: storageDomain.map((written) => parsePlace("--storage-domain", written)),
    networks: network.map((written) => parsePlace("--network", written)),
    vnicProfiles: vnicProfile.map((written) => {
      const [name, ...place] = written.split("@");
      const { name: of, dataCenter } = parsePlace("--vnic-profile", place.join("@"));
      if (name === undefined || name === "") throw new UsageError(`--vnic-profile ${written} is not NAME@NETWORK`);
      return { name, network: of, dataCenter };
    }),
  };
}

/** `NAME[@DATA-CENTER]`, or in another place. */
function parsePlace(option: string, written: string, form = "NAME[@DATA-CENTER]"): InDataCenter {
  const [, name, dataCenter] = /^([^@]+)(?:@([^@]+))?$/.exec(written) ?? [];
  if (name !== undefined) return { name, dataCenter };
  throw new UsageError(`${option} ${written} is not ${form}`);
}

/** `NAME=ITEM[,ITEM…]` */
function parseList(option: string, item: string, written: string): readonly [name: string, items: readonly string[]] {
  const [, name, items] = /^([^=]+)=(.+)$/.exec(written) ?? [];
  if (name !== undefined && items !== undefined) return [name, items.split(",")];
  throw new UsageError(`${option} ${written} is not NAME=${item}[,${item}…]`, {
    hint: "The name of a VM, an equals sign, and what belongs to it.",
  });
}

async function describeLab(directory: string): Promise<StartedLab> {
  const status = await connectLab(directory).status();
  const { password } = labConfiguration(status).managers.lab;
  return {
    ...status,
    config: join(status.directory, "ovault.yaml"),
    passwordFile: join(status.directory, password.file),
  };
}

function startedView(lab: StartedLab): View {
  return [
    ...statusView(lab),
    facts([
      ["password", `in ${lab.passwordFile}`],
      ["configuration", lab.config],
      ["try", `ovault vms --config ${lab.config}`],
    ]),
  ];
}
