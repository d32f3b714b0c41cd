import { CLOCK_LUA } from "./clock-lua.ts";
import { USED_LUA } from "./used-lua.ts";

/** A lease of units ends after so long, by the store's clock; what was lent counts on until it is settled. */
export const QUOTA_LEASE_MS = 60_000;
/** What a lease that has ended holds can be settled for so long by whoever held it; then it is what was spent. */
export const SETTLED_MS = 600_000;
/** Parts that a rolling window is counted in. */
export const PARTS = 48;
/** Who wanted more within so long counts as in need. */
export const QUOTA_NEEDY_MS = 10_000;
/** How long keys stay after all that they count is over. */
export const QUOTA_KEPT_MS = 60_000;

/**
 * Reads the hash of a key: `u` is what is used, `until:amount;…` by when it counts no more; each other field is a
 * lease, `granted:spent:end:sequence:until:wanted`. Amounts are millionths, times microseconds. Expects `limit`,
 * `start`, `finish` (both 0 for a rolling window), `length` (0 for a period).
 */
const READ = `
local LEASE, SETTLED = ${QUOTA_LEASE_MS * 1000}, ${SETTLED_MS * 1000}
if length == 0 and (now < start or now >= finish) then return {3, 0, 0, 0, 0, 0, 0, 0, now} end
local width = math.ceil(length / ${PARTS})
local function over(at)
  if length == 0 then return finish end
  return (math.floor(at / width) + 1) * width + length
end
local farthest = over(now)
if length == 0 then farthest = finish + 2 * (finish - start) end
${USED_LUA}local function take(amount)
  local left = amount
  for i = 1, #ends do
    local part = math.min(left, amounts[i])
    amounts[i] = amounts[i] - part
    left = left - part
  end
end
local others, needy, latest = 0, 1, 0
local mine, wanted
local gone = {}
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local field, value = raw[i], raw[i + 1]
  if field == 'u' then
    readUsed(value, farthest)
  else
    local g, s, e, q, t, w = string.match(value, '^(%d+):(%d+):(%d+):(%d+):(%d+):(%d+)$')
    g, s, e, q, t, w = tonumber(g), tonumber(s), tonumber(e), tonumber(q), tonumber(t), tonumber(w)
    e = math.min(e, now + LEASE)
    t = math.min(t, math.max(farthest, over(e)))
    if field == own then
      mine = { g, s, e, q, t }
      wanted = w
    elseif t <= now or e + SETTLED <= now then
      gone[#gone + 1] = field
      add(t, g - s)
    else
      others = others + g - s
      if t > latest then latest = t end
      if w <= now and w > now - ${QUOTA_NEEDY_MS * 1000} then needy = needy + 1 end
    end
  end
end
local function write()
  for _, field in ipairs(gone) do redis.call('HDEL', KEYS[1], field) end
  latest = writeUsed(latest)
  if latest > now then
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((latest - now) / 1000) + ${QUOTA_KEPT_MS}))
  end
end
local function reset()
  if length == 0 then return finish end
  for i = #ends, 1, -1 do
    if amounts[i] > 0 then return ends[i] end
  end
  return now
end
`;

const HEAD = `${CLOCK_LUA}
local limit, start, finish, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local own = ARGV[5]
`;

/**
 * KEYS: the key, a hash. ARGV: limit, start, end, length; field, sequence, spent, known as spent; need, want, unit, give.
 * Of a period, what is needed is spent at once: who asks for it has a request that waits. Where the window rolls, that
 * would be too early, should nobody wait for it any more. A lease's sums count from its first grant;
 * of a lease that is not known, what was spent beyond what was known before is spent now. What was spent at the last
 * call and is not any more comes back, unless it has come back by itself.
 * Answers: 1 done, 0 out of date, 3 another period; granted, spent, used, what others hold, wait, needy, reset, now.
 */
export const QUOTA_LUA = `${HEAD}
local sequence, spent, known = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local need, want, unit, give = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
${READ}
if mine and sequence <= mine[4] then return {0, mine[1], mine[2], 0, 0, 0, needy, 0, now} end
local granted = spent
local before = known
if mine and mine[5] > now then
  granted = math.max(mine[1], spent)
  before = mine[2]
end
if spent > before then
  add(over(now), spent - before)
elseif over(mine and mine[3] - LEASE or now) > now then
  take(before - spent)
end
granted = granted - math.min(give, granted - spent)
local left = limit - used() - others - (granted - spent)
local wait = 0
if want > 0 then
  wanted = now
  if left >= need then
    local extra = math.min(want - need, math.floor((left - need) / 2 / needy / unit) * unit)
    if length == 0 then
      add(finish, need)
      spent = spent + need
    end
    granted = granted + need + math.max(0, extra)
  elseif length == 0 then
    wait = finish - now
  else
    wait = goneAt(need - left, now + length) - now
  end
end
local till = over(now + LEASE)
if till > latest then latest = till end
redis.call('HSET', KEYS[1], own,
  string.format('%.0f:%.0f:%.0f:%.0f:%.0f:%.0f', granted, spent, now + LEASE, sequence, till, wanted or 0))
write()
return {1, granted, spent, used(), others, wait, needy, reset() - now, now}`;

/**
 * KEYS: the key. ARGV: limit, start, end, length; no field; what is used now as it must be, or -1; what is to be added,
 * or to be used instead: '' where none is.
 * Answers: 1 done, 2 something else is used, 3 another period; used before, used, what is lent, reset, now.
 */
export const LEDGER_LUA = `${HEAD}
local expected = tonumber(ARGV[6])
${READ}
local before = used()
if expected >= 0 and expected ~= before then return {2, before, before, others, reset() - now, now} end
if ARGV[7] ~= '' or ARGV[8] ~= '' then
  local after = math.max(0, tonumber(ARGV[8]) or before + tonumber(ARGV[7]))
  if after > before then add(over(now), after - before) else take(before - after) end
  write()
end
return {1, before, used(), others, reset() - now, now}`;
