import { ImageioError, TicketError } from "./errors.ts";

/** An answer's status and text, as an error. The text is imageio's own reason. */
export function statusError(method: string, answer: { readonly status: number; readonly text: string }): ImageioError {
  const context = { method, status: answer.status };
  const reason = withoutTicket(answer.text.trim());
  if (answer.status === 403) {
    return new TicketError(`imageio refuses the transfer's ticket: ${reason}`, {
      context,
      hint: "The transfer ended or its ticket ran out; the engine's events for this disk say why.",
    });
  }
  return new ImageioError(`imageio answered ${method} with ${answer.status}: ${reason}`, {
    context,
    retry: answer.status >= 500 ? "transient" : "never",
    hint: "Its log on the host (/var/log/ovirt-imageio/daemon.log) says more.",
  });
}

/** "No such ticket" names the ticket, which is a credential; so do other refusals of a ticket without a transfer. */
function withoutTicket(reason: string): string {
  return reason.replace(/(No such ticket) .*/, "$1").replace(/\(ticket\/[^)]*\)/, "(ticket)");
}
