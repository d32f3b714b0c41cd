const MASK = "***";

// Last words of names whose values open something: `token` covers access_token, X-Amz-Security-Token, idToken …
const SECRET_WORDS = new Set([
  "token",
  "key",
  "secret",
  "password",
  "passwd",
  "passphrase",
  "pwd",
  "pass",
  "signature",
  "sig",
  "sign",
  "hmac",
  "code",
  "otp",
  "pin",
  "auth",
  "authorization",
  "credential",
  "credentials",
  "jwt",
  "bearer",
  "assertion",
  "ticket",
  "session",
  "verifier",
]);

const SECRET_NAMES = new Set([
  "accesstoken",
  "refreshtoken",
  "idtoken",
  "authtoken",
  "apitoken",
  "csrftoken",
  "apikey",
  "accesskey",
  "secretkey",
  "privatekey",
  "awsaccesskeyid",
  "googleaccessid",
  "clientsecret",
  "authcode",
  "sessionid",
  "jsessionid",
  "phpsessid",
  "sid",
  "samlresponse",
  "samlrequest",
]);

function decoded(name: string): string {
  if (!/[%+]/.test(name)) return name;
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}

function isSecret(rawName: string): boolean {
  const name = decoded(rawName);
  if (SECRET_NAMES.has(name.toLowerCase().replace(/[^a-z0-9]/g, ""))) return true;
  const words = name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).filter((word) => word !== "");
  return SECRET_WORDS.has((words.at(-1) ?? "").toLowerCase());
}

function redactPair(pair: string): string {
  const at = pair.indexOf("=");
  if (at < 0 || at === pair.length - 1 || !isSecret(pair.slice(0, at))) return pair;
  return `${pair.slice(0, at)}=${MASK}`;
}

/**
 * A request's target with `***` for the values of query parameters that are named like secrets, in whatever case,
 * encoding or compound (`access_token`, `X-Amz-Signature`, `user[password]`). Path and other parameters stay as
 * they are, byte for byte; a target without a query is returned as it is.
 */
export function redactTarget(target: string): string {
  const at = target.indexOf("?");
  if (at < 0 || target.indexOf("=", at) < 0) return target;
  // Some servers still part parameters by `;`: a secret behind one must not slip through.
  const parts = target.slice(at + 1).split(/([&;])/);
  return `${target.slice(0, at + 1)}${parts.map(redactPair).join("")}`;
}
