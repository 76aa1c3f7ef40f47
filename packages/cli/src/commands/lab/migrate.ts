import { connectLab } from "@ovault/lab";

import { examples, type Define } from "../../command.ts";
import { text } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";

export const defineMigrate: Define = (command, invoke) => {
  command
    .argument("<vm>", "name or id; it must be up")
    .argument("[host]", "name or id (default: another one that is up)")
    .addHelpText("after", examples(["ovault lab migrate --dir lab web01 kvm2", ""]))
    .action((vm: string, wanted: string | undefined, options: LabOption) =>
      invoke(command, async (context) => {
        const lab = connectLab(await labDirectory(options, context));
        await (wanted === undefined ? lab.migrate(vm) : lab.migrate(vm, wanted));
        const { vms } = await lab.status();
        const { name = vm, host } = vms.find((one) => one.name === vm || one.id === vm) ?? {};
        return { data: { vm: name, host }, view: [text(`${name} runs on ${host}`)] };
      }),
    );
};
