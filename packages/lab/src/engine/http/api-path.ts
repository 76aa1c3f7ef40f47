/** Where the API lives; every `href` starts with it. */
export const API_PATH = "/ovirt-engine/api";
