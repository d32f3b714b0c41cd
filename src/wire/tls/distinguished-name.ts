import { type DerElement, derChildren, derOid, derText } from "./der.ts";

/** Short names of RFC 4514 3, and what else certificates often have. */
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.4", "SN"],
  ["2.5.4.5", "serialNumber"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.9", "street"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["2.5.4.12", "title"],
  ["2.5.4.42", "GN"],
  ["0.9.2342.19200300.100.1.1", "UID"],
  ["0.9.2342.19200300.100.1.25", "DC"],
  ["1.2.840.113549.1.9.1", "emailAddress"],
]);

/** The text of a Name as RFC 4514 writes it: the last part first, printable ASCII, everything else escaped. */
export function distinguishedName(name: DerElement | undefined): string {
  const parts = derChildren(name).map((set) => derChildren(set).map(attributeText).join("+"));
  return parts.reverse().join(",");
}

function attributeText(attribute: DerElement): string {
  const [type, value] = derChildren(attribute);
  if (type === undefined || value === undefined) throw new RangeError("DER: an attribute is not whole");
  const oid = derOid(type.content);
  return `${SHORT_NAMES.get(oid) ?? oid}=${escaped(derText(value))}`;
}

// RFC 4514 2.4. What is no printable ASCII goes as the hexadecimal of its UTF-8, to fit into a header field; quotes and
// backslashes do so too, that nobody who reads them within quotes takes one for the end.
const ESCAPED = /^[ #]|[ ]$|[+,;<>"\\]|[^ -~]/gu;

function escaped(text: string): string {
  const hex = (character: string) => Buffer.from(character, "utf8").toString("hex").toUpperCase();
  return text.replace(ESCAPED, (character) =>
    /^[ #+,;<>]/.test(character) ? `\\${character}` : hex(character).replace(/../g, "\\$&"),
  );
}
