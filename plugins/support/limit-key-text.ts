import { addressBytes } from "../../src/plugin.ts";
import { type KeySource, keyPart, networkOf } from "./limit-key.ts";

/** Makes a key from the texts of its parts, as clients would send them; null: they are none of such a key. */
export type KeyOfTexts = (texts: readonly string[]) => string | null;

function addressPart(bits: number): (text: string) => string | null {
  return (text) => {
    if (addressBytes(text) === null) return null;
    return text.includes(":") ? networkOf(text, bits) : text;
  };
}

/** Fields are read byte for byte, and clients send texts as UTF-8. */
function fieldPart(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function partOf(part: string): (text: string) => string | null {
  if (/^(?:header|cookie)\./.test(part)) return fieldPart;
  const [, bits] = /^ip(?:\/(\d+))?$/.exec(part) ?? [];
  if (part !== "ip" && bits === undefined) return (text) => text;
  return addressPart(bits === undefined ? 64 : Number(bits));
}

/** The counterpart of `keyReader`: an empty text stands for a part that a request has not. */
export function keyOfTexts(by: string | KeySource): KeyOfTexts {
  const parts = typeof by === "function" ? [(text: string) => text] : by.split("+").map((part) => partOf(part.trim()));
  return (texts) => {
    if (texts.length !== parts.length) return null;
    const values = parts.map((read, at) => (texts[at] === "" ? "" : read(texts[at] ?? "")));
    if (values.some((value) => value === null)) return null;
    const made = values.map(keyPart);
    return made.length === 1 ? (made[0] ?? null) : made.map((part) => `${part.length}${part}`).join("");
  };
}
