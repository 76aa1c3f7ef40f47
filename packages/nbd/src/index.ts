export type { NbdAddress } from "./address.ts";
export { NbdClient, type NbdConnectOptions, type NbdExtent, type NbdFeatures } from "./client.ts";
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
export { ALLOCATION, BASE_ALLOCATION, type NbdErrno } from "./protocol.ts";
export { NbdServer, type NbdServerOptions, type NbdServerTlsOptions } from "./server.ts";
export type { NbdTicket } from "./ticket.ts";
export { formatNbdUri, parseNbdUri, type NbdUri } from "./uri.ts";
