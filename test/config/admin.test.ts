import { expect, test } from "bun:test";
import { showConfig } from "../../src/config/show.ts";
import { load } from "./folder.ts";

const TOKEN = "0f3b9a1c5d7e2846bb01";

test("admin has an address, a port, and tokens that are kept as hashes", async () => {
  const loaded = await load({ "torii.yaml": `admin: { tokens: [{ name: ops, token: ${TOKEN}, role: editor }] }` });
  const hashedToken = new Bun.CryptoHasher("sha256").update(TOKEN).digest("hex");
  expect(loaded.config.admin).toEqual({
    address: "127.0.0.1",
    port: 9901,
    tokens: [{ name: "ops", role: "editor", hashedToken }],
  });
  const shown = showConfig(loaded);
  expect(shown).toContain("name: ops");
  for (const secret of [TOKEN, hashedToken]) expect(shown).not.toContain(secret);
});

test("without admin there is none", async () => {
  expect((await load({ "torii.yaml": "" })).config.admin).toBeNull();
});
