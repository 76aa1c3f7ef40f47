import { timingSafeEqual } from "node:crypto";

import { IntegrityError } from "@ovault/contract";
import { REPOSITORY_KEY } from "../format/layout.ts";
import type { RepositorySettings } from "../format/settings.ts";
import type { RepositoryKey } from "./repository-key.ts";

const CIPHER = "aes-256-gcm";

/** The settings of an encrypted repository with their MAC: they cannot be changed without its key. */
export function proveSettings(settings: RepositorySettings, key: RepositoryKey): RepositorySettings {
  return { ...settings, encryption: { cipher: CIPHER, mac: macOf(settings, key).toString("hex") } };
}

/** @throws IntegrityError unless the settings were made with this key */
export function assertSettingsProved(settings: RepositorySettings, key: RepositoryKey): void {
  const stated = Buffer.from(settings.encryption?.mac ?? "", "hex");
  const right = macOf(settings, key);
  if (stated.byteLength === right.byteLength && timingSafeEqual(stated, right)) return;
  throw new IntegrityError(`${REPOSITORY_KEY} was changed without the key`, {
    context: { key: REPOSITORY_KEY },
    hint: "Something else writes to the destination: find out what, and bring this object back from a copy.",
  });
}

/** Omits SHA-256, which was the only digest when the first of these MACs were made. */
function macOf({ id, blockBytes, createdAt, digest }: RepositorySettings, key: RepositoryKey): Buffer {
  const named = digest === "sha-256" ? [] : [digest];
  return key.mac("settings")([id, blockBytes, createdAt, CIPHER, ...named].join("\n"));
}
