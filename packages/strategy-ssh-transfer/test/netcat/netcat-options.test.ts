import { expect, test } from "vitest";

import { optionsSchema } from "../../src/options.ts";

function netcat(options: object): unknown {
  return optionsSchema.parse({ netcat: options }).netcat;
}

test("without the field, no port is opened", () => {
  expect(optionsSchema.parse({}).netcat).toBeUndefined();
});

test("it is refused unless the configuration says that the network is trusted", () => {
  for (const options of [{}, { trustedNetwork: false }, { ports: "50000" }, { trustedNetwork: "yes" }]) {
    expect(() => netcat(options)).toThrow("netcat sends disks in the clear: `trustedNetwork: true` must state");
  }
});

test("ports are one or a range, by default those that hosts open for migrations", () => {
  const trusted = { trustedNetwork: true };
  expect(netcat(trusted)).toMatchObject({ ports: { first: 49_152, last: 49_215 } });
  expect(netcat({ ...trusted, ports: "50000" })).toMatchObject({ ports: { first: 50_000, last: 50_000 } });
  expect(netcat({ ...trusted, ports: "2000-65535" })).toMatchObject({ ports: { first: 2000, last: 65_535 } });
  for (const ports of ["", "22", "1-2000", "3000-2000", "2000-65536", "2000-", "2000,2001", "all"]) {
    expect(() => netcat({ ...trusted, ports })).toThrow(/must (be|lie)/);
  }
});

test("a network is written with its length", () => {
  for (const network of ["10.9.0.0/24", "fd00:9::/64"]) {
    expect(netcat({ trustedNetwork: true, network })).toMatchObject({ network });
  }
  for (const network of ["10.9.0.1", "10.9.0.0/33", "kvm1", "10.9.0.0/24; reboot"]) {
    expect(() => netcat({ trustedNetwork: true, network })).toThrow("must be a network, like 10.9.0.0/24");
  }
});
