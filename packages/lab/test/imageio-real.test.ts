import { expect, test } from "vitest";

import { RealImageio } from "../src/imageio/real-imageio.ts";
import { MiB, addDisk, openTestHypervisor } from "./support/test-hypervisor.ts";
import { ticketFor } from "./support/test-imageio.ts";

const controlSocket = process.env["OVAULT_IMAGEIO_CONTROL"] ?? "";

test("without its daemon, the control socket is named", async () => {
  const imageio = new RealImageio({ controlSocket: "/nowhere/sock", url: "https://127.0.0.1:54322" });
  await expect(imageio.removeTicket("t")).rejects.toThrow("does not answer at /nowhere/sock");
  expect(imageio.transferUrl("t")).toBe("https://127.0.0.1:54322/images/t");
});

test.skipIf(controlSocket === "")(
  "a real daemon takes, shows, extends and gives up tickets (skipped: OVAULT_IMAGEIO_CONTROL names no control socket)",
  async () => {
    const lab = await openTestHypervisor();
    await addDisk(lab, "disk");
    const source = await lab.hypervisor.openExport({ exportId: "e", diskId: "disk", writable: false });
    const imageio = new RealImageio({ controlSocket, url: "https://127.0.0.1" });
    await imageio.addTicket(ticketFor("ovault-test", source, { sizeBytes: 4 * MiB, timeoutSeconds: 0 }));
    expect(await imageio.ticketInfo("ovault-test")).toEqual({
      active: false,
      expired: true,
      idleSeconds: 0,
      transferredBytes: 0,
    });
    await imageio.extendTicket("ovault-test", 60);
    expect(await imageio.ticketInfo("ovault-test")).toMatchObject({ expired: false });
    await imageio.removeTicket("ovault-test");
    await imageio.removeTicket("ovault-test");
    expect(await imageio.ticketInfo("ovault-test")).toBeUndefined();
  },
);
