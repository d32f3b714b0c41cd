import { CLOCK_LUA } from "./clock-lua.ts";
import { VIEW_MS } from "./units.ts";

/** How long slots stay a gateway's that is not heard of, by the store's clock. */
export const SLOT_LEASE_MS = 10_000;
/** How long a key outlives its last call. */
export const SLOT_KEPT_MS = SLOT_LEASE_MS + 60_000;
/** Who was refused a slot counts as in need for so long. */
export const NEEDY_MS = 1000;

/**
 * KEYS: the key's gateways, a hash: each field is a gateway's lease, `held:end:sequence:wanted`, the last of which is
 * when it was refused. Times are microseconds.
 * ARGV: limit; field, sequence, slots that the caller keeps, those that it needs and those that it wants, all in all;
 * view; then the history of shares: base time, base fraction, and (time, part) for each change.
 * What is kept is held, even if it should not be: then nobody is given any until enough has ended.
 * Answers: 1 done, 0 out of date, 2 the view is too old; held, free, most that the caller should hold.
 */
export const SLOTS_LUA = `${CLOCK_LUA}
local LEASE, VIEW, NEEDY, ALL = ${SLOT_LEASE_MS * 1000}, ${VIEW_MS * 1000}, ${NEEDY_MS * 1000}, 1000000
local limit, own, sequence = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local keep = tonumber(ARGV[4])
local need, want = math.max(keep, tonumber(ARGV[5])), tonumber(ARGV[6])
local view, fraction = tonumber(ARGV[7]), tonumber(ARGV[9])
if view >= 0 and (now > view + VIEW or view > now + VIEW) then return {2, 0, 0, 0} end
for i = 10, #ARGV, 2 do
  if tonumber(ARGV[i]) <= now then fraction = fraction + tonumber(ARGV[i + 1]) end
end
local most = math.floor(limit * math.max(0, math.min(ALL, fraction)) / ALL)

local late
local others, needy, wanted = 0, 1, 0
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local field, value = raw[i], raw[i + 1]
  local h, e, q, w = string.match(value, '^(%d+):(%d+):(%d+):(%d+)$')
  h, e, q, w = tonumber(h), tonumber(e), tonumber(q), tonumber(w)
  if e > now + LEASE then
    e = now + LEASE
    redis.call('HSET', KEYS[1], field, string.format('%.0f:%.0f:%.0f:%.0f', h, e, q, w))
  end
  if e <= now then
    redis.call('HDEL', KEYS[1], field)
  elseif field == own then
    late = sequence <= q
    if late then keep = h end
    wanted = w
  else
    others = others + h
    if w <= now and w > now - NEEDY then needy = needy + 1 end
  end
end
if late then return {0, keep, 0, 0} end

local free = math.max(0, most - others)
local fair = limit
if needy > 1 then fair = math.floor(most / needy) end
local held = keep
if need > keep and need > free then
  wanted = now
elseif needy > 1 then
  held = need
elseif want > keep then
  held = math.max(need, math.min(want, need + math.floor((free - need) / 2)))
end
redis.call('HSET', KEYS[1], own, string.format('%.0f:%.0f:%.0f:%.0f', held, now + LEASE, sequence, wanted))
redis.call('PEXPIRE', KEYS[1], ${SLOT_KEPT_MS})
return {1, held, math.max(0, most - others - held), fair}`;
