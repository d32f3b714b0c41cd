import { CLOCK_LUA } from "./clock-lua.ts";
import { LEASE_MS, VIEW_MS } from "./units.ts";

/**
 * What buckets and windows have in common. A lease is a field `granted:outstanding:end:sequence:wanted`, the last of
 * which is when more was wanted; one that ends later than it could is of a clock that went back.
 * ARGV, from the fourth on: field, sequence, spent, known; want, need, unit, give; for how long nothing was spent; view.
 */
export const LEASE_LUA = `${CLOCK_LUA}
local LEASE, VIEW, ALL = ${LEASE_MS * 1000}, ${VIEW_MS * 1000}, 1000000
local own, sequence, spent, known = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local want, need, unit, give = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local quiet, view = tonumber(ARGV[12]), tonumber(ARGV[13])
local unsure = view >= 0 and (now > view + VIEW or view > now + VIEW)
local function readLease(field, value, most)
  local g, o, e, q, w = string.match(value, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
  g, o, e, q, w = tonumber(g), tonumber(o), tonumber(e), tonumber(q), tonumber(w)
  if e > most then
    e = most
    redis.call('HSET', KEYS[1], field, string.format('%.0f:%.0f:%.0f:%.0f:%.0f', g, o, e, q, w))
  end
  return g, o, e, q, w
end
`;

/**
 * Once all leases are read: drops the `gone`, and makes of `granted`, nil for a lease that is not known, what is granted
 * with all that was spent, the `debt` that this is beyond what was lent, and what is `held`.
 */
export const SETTLE_LUA = `
for _, field in ipairs(gone) do redis.call('HDEL', KEYS[1], field) end
granted = granted or math.min(known, spent)
local debt = math.max(0, spent - granted)
granted = math.max(granted, spent)
local held = granted - spent
give = math.min(give, held)
`;
