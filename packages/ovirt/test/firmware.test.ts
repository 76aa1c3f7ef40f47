import { expect, test } from "vitest";

import { createRunHooks, type VirtualMachine } from "@ovault/contract";

import { warnOfFirmware } from "../src/machine/warn-of-firmware.ts";

const vm: VirtualMachine = { id: "vm-1", name: "web", manager: "lab", status: "up", disks: [], attributes: {} };

interface Parts {
  readonly compatibility?: string;
  readonly bios: string;
  readonly tpm?: boolean;
  /** Kinds of external data. */
  readonly holds?: readonly string[];
}

function ovfOf({ compatibility = "4.6", bios, tpm = false, holds = [] }: Parts): string {
  const data = holds.map(
    (kind) =>
      `<VmExternalDataItem kind="${kind}"><VmExternalDataContent>x</VmExternalDataContent></VmExternalDataItem>`,
  );
  return `<?xml version="1.0"?><ovf:Envelope xmlns:ovf="o" xmlns:xsi="x" xmlns:rasd="r"><Content>
    <Name>web</Name><BiosType>${bios}</BiosType><ClusterCompatibilityVersion>${compatibility}</ClusterCompatibilityVersion>
    <Section xsi:type="ovf:VirtualHardwareSection_Type">
      ${tpm ? "<Item><rasd:ResourceType>0</rasd:ResourceType><Type>tpm</Type><Device>tpm</Device></Item>" : ""}
    </Section>
    ${holds.length === 0 ? "" : `<Section xsi:type="ovf:VmExternalDataSection_Type">${data.join("")}</Section>`}
  </Content></ovf:Envelope>`;
}

function warningsOf(ovf: string): readonly string[] {
  const hooks = createRunHooks();
  const warnings: string[] = [];
  hooks.warning.tap("test", (message) => warnings.push(message));
  warnOfFirmware(vm, ovf, hooks);
  return warnings;
}

test.each<[string, Parts, readonly RegExp[]]>([
  ["SeaBIOS", { bios: "0" }, []],
  ["Q35 with SeaBIOS", { bios: "1" }, []],
  ["UEFI", { bios: "2" }, [/UEFI variables/]],
  ["UEFI with Secure Boot and a TPM", { bios: "3", tpm: true }, [/TPM/, /UEFI variables/]],
  ["UEFI of an engine before 4.4", { bios: "2", compatibility: "4.3" }, [/UEFI variables/]],
  ["a TPM alone", { bios: "1", tpm: true }, [/TPM/]],
  ["all of it, as the OVF of a snapshot holds it", { bios: "3", tpm: true, holds: ["tpm", "nvram"] }, []],
  ["variables that the OVF holds, but not the TPM", { bios: "3", tpm: true, holds: ["nvram"] }, [/TPM/]],
])("a machine with %s is warned of what its point does not hold", (_, parts, expected) => {
  expect(warningsOf(ovfOf(parts))).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
});

test.each(["", "no XML", "<a><b></a>", "<a/>", `${ovfOf({ bios: "1" })}\u0001`])(
  "an OVF that cannot be read (%j) is a warning and never the end of a point",
  (ovf) => {
    expect(warningsOf(ovf)).toEqual([expect.stringMatching(/kept as it is, but cannot be read/)]);
  },
);

test("a control character within an OVF is no reason not to read it", () => {
  expect(warningsOf(ovfOf({ bios: "2" }).replace("<Name>web", "<Name>we\u0001b&#x1b;"))).toEqual([
    expect.stringMatching(/UEFI/),
  ]);
});
