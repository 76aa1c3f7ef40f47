export { freePort, listensOn } from "@ovault/lab/internal/hosts/free-port";
