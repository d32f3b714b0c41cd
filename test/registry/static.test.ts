import { createStaticRegistry } from "../../src/registry/static.ts";
import { registryContract } from "./contract.ts";

registryContract("static", (catalog) => ({
  registry: createStaticRegistry({ catalog }),
  change: null,
  close: () => {},
}));
