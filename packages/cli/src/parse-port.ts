import { InvalidArgumentError } from "commander";

/** For options. @throws InvalidArgumentError */
export function parsePort(written: string): number {
  const port = Number(written);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new InvalidArgumentError("It must be from 1 to 65535.");
}
