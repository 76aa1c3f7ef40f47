import type { Case } from "./case.ts";
import { destinationCases } from "./cases/destination-cases.ts";
import { deviceCases } from "./cases/device-cases.ts";
import { engineCases } from "./cases/engine-cases.ts";
import { extentsCases } from "./cases/extents-cases.ts";
import { fullCases } from "./cases/full-cases.ts";
import { hostCases } from "./cases/host-cases.ts";
import { imageioCases } from "./cases/imageio-cases.ts";
import { incrementCases } from "./cases/increment-cases.ts";
import { indexCases } from "./cases/index-cases.ts";
import { manyCases } from "./cases/many-cases.ts";
import { memoryCases } from "./cases/memory-cases.ts";
import { nfsCases } from "./cases/nfs-cases.ts";
import { pointCases } from "./cases/point-cases.ts";
import { policyCases } from "./cases/policy-cases.ts";
import { qcow2Cases } from "./cases/qcow2-cases.ts";
import { restoreCases } from "./cases/restore-cases.ts";
import { serveCases } from "./cases/serve-cases.ts";
import { sshCases } from "./cases/ssh-cases.ts";
import { startCases } from "./cases/start-cases.ts";
import { verifyCases } from "./cases/verify-cases.ts";

/** The cases by name; each builds its images when it is opened. */
export const cases: Readonly<Record<string, () => Promise<Case>>> = {
  ...fullCases,
  ...incrementCases,
  ...restoreCases,
  ...verifyCases,
  ...manyCases,
  ...memoryCases,
  ...startCases,
  ...engineCases,
  ...imageioCases,
  ...hostCases,
  ...indexCases,
  ...extentsCases,
  ...pointCases,
  ...policyCases,
  ...destinationCases,
  ...qcow2Cases,
  ...deviceCases,
  ...nfsCases,
  ...serveCases,
  ...sshCases,
};

/** These wait for an engine most of an hour: they run only when they are named. */
export const slowCases: ReadonlySet<string> = new Set(Object.keys({ ...policyCases, ...engineCases }));
