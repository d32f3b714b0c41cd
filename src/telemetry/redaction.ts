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

function judge(rawName: string): boolean {
  const name = decoded(rawName);
  if (SECRET_NAMES.has(name.toLowerCase().replace(/[^a-z0-9]/g, ""))) return true;
  const words = name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).filter((word) => word !== "");
  return SECRET_WORDS.has((words.at(-1) ?? "").toLowerCase());
}

// Judging a name costs more than the rest of a log line; services use few names, and again and again.
const JUDGED = new Map<string, boolean>();
const JUDGED_LIMIT = 1024;
const CACHED_NAME_CHARS = 64;

function isSecret(rawName: string): boolean {
  const known = JUDGED.get(rawName);
  if (known !== undefined) return known;
  const judged = judge(rawName);
  if (JUDGED.size < JUDGED_LIMIT && rawName.length <= CACHED_NAME_CHARS) JUDGED.set(rawName, judged);
  return judged;
}

/** Where the parameter ends that begins at `from`. Some servers still part parameters by `;` too. */
function pairEnd(target: string, from: number): number {
  for (let at = from; at < target.length; at++) {
    const unit = target.charCodeAt(at);
    if (unit === 0x26 || unit === 0x3b) return at;
  }
  return target.length;
}

/**
 * A request's target with `***` for the values of query parameters that are named like secrets, in whatever case,
 * encoding or compound (`access_token`, `X-Amz-Signature`, `user[password]`). Path and other parameters stay as
 * they are, byte for byte; a target without a query is returned as it is.
 */
export function redactTarget(target: string): string {
  const query = target.indexOf("?");
  if (query < 0) return target;
  let text = "";
  let kept = 0;
  for (let from = query + 1; from < target.length; ) {
    const end = pairEnd(target, from);
    const equals = target.indexOf("=", from);
    if (equals < 0) break;
    if (equals < end - 1 && isSecret(target.slice(from, equals))) {
      text += `${target.slice(kept, equals + 1)}${MASK}`;
      kept = end;
    }
    from = end + 1;
  }
  return kept === 0 ? target : text + target.slice(kept);
}
