import { expect, test } from "bun:test";
import { authority } from "../support/certificates.ts";
import { CERTS, faults, load } from "./folder.ts";

const root = authority("List Root");
const other = authority("List Other");
const middle = root.intermediate("List Middle");
const [rootList, otherList, middleList] = [root, other, middle].map((each) => each.revoke().pem);

function files(ca: string, crl: string) {
  const torii = `listeners:
  - name: https
    port: 8443
    tls:
      certificates: [{ cert: certs/shop.pem, key: certs/shop.key }]
      clientAuth: { ca: ca.pem, crl: crl.pem, mode: require }
`;
  return { ...CERTS, "torii.yaml": torii, "ca.pem": ca, "crl.pem": crl };
}

test("every revocation list of a file belongs to an authority in ca, in any order", async () => {
  const ca = root.cert + other.cert + middle.cert;
  const { config } = await load(files(ca, `${middleList}${otherList}${rootList}`));
  expect(config.listeners[0]?.tls?.clientAuth?.crlPem?.match(/BEGIN X509 CRL/g)).toHaveLength(3);
});

test("a revocation list of anyone else is a fault that says whose it is, wherever it stands in the file", async () => {
  const message =
    'torii.yaml:6:38 listeners[0].tls.clientAuth.crl: crl.pem holds a list of "O=Torii, CN=List Other", which is none of the authorities in ca; give lists of those only, or add it to ca';
  for (const lists of [`${otherList}`, `${rootList}${otherList}`, `${otherList}${rootList}`]) {
    expect(await faults(files(root.cert, lists))).toEqual([message]);
  }
});
