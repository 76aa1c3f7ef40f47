export type { NbdAddress } from "./address.ts";
export { NbdClient } from "./client.ts";
export type { NbdConnectOptions, NbdExtent, NbdFeatures } from "./client.ts";
export {
  NbdConnectionError,
  NbdError,
  NbdExportUnknownError,
  NbdHandshakeError,
  NbdProtocolError,
  NbdRequestError,
  NbdTlsError,
} from "./errors.ts";
export type { NbdExport } from "./export.ts";
export type { BlockStatus } from "./pending-reply.ts";
export { ALLOCATION, BASE_ALLOCATION } from "./protocol.ts";
export type { NbdErrno } from "./protocol.ts";
export { NbdServer } from "./server.ts";
export type { NbdServerOptions, NbdServerTlsOptions } from "./server.ts";
export { parseNbdUri } from "./uri.ts";
export type { NbdUri } from "./uri.ts";
