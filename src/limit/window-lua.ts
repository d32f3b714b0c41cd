import { LEASE_LUA, SETTLE_LUA } from "./lease-lua.ts";
import { USED_LUA } from "./used-lua.ts";

/** Parts that a sliding window is counted in: what is spent comes back up to one of them late. */
export const WINDOW_PARTS = 60;
/** How long keys stay after all that they count is over. */
export const WINDOW_KEPT_MS = 1000;

/**
 * KEYS: the key, a hash: `u` is what is used, `until:amount;…` by when it counts no more; each other field is a lease,
 * `granted:outstanding:end:sequence:wanted`, the last of which is when more was wanted. Amounts are millionths, times
 * microseconds.
 * ARGV: limit, length, 1 where the window slides or 0; field, sequence, spent, known; want, need, unit, give; for how
 * long nothing was spent; view; what was spent how long ago, `age:amount;…`, the latest first; then the history of shares: base time, base fraction, and (time, part) for each change.
 * What is leased counts until it is reported as spent, and from then on as spent when it may have been spent last; what
 * is never reported, as spent at the lease's end. So what is counted is never less than what was spent within a window.
 * A share that is withheld is not lent. It may have been spent by others before it came back: of a fixed window it is
 * withheld to its end; of one that slides, as long as the part of it in which it was withheld is in the window, unless
 * that was for too short a time for any of it to be spent.
 * Answers: 1 done, 0 out of date, 2 the view is too old; granted, left, wait, gateways in need, 1 where others hold
 * leases, time that the lease has, time until something comes back, and until all has.
 */
export const WINDOW_LUA = `${LEASE_LUA}
local limit, length, slides, spends = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1', ARGV[14]
if unsure then return {2, 0, 0, 0, 1, 0, 0, 0, 0} end

local width, beyond = length, 0
if slides then width, beyond = math.ceil(length / ${WINDOW_PARTS}), length end
local function over(at) return (math.floor(at / width) + 1) * width + beyond end
local farthest, finish = over(now), now + LEASE
if not slides then finish = math.min(finish, farthest) end
${USED_LUA}
local granted, late
local others, needy, before, wanted, latest = 0, 1, 0, 0, over(finish - 1)
local gone = {}
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local field, value = raw[i], raw[i + 1]
  if field == 'u' then
    readUsed(value, farthest)
  else
    local g, o, e, q, w = readLease(field, value, finish)
    if e <= now then
      gone[#gone + 1] = field
      add(over(e - 1), o)
    elseif field == own then
      late = sequence <= q
      granted = g
      before = o
      wanted = w
    else
      others = others + o
      latest = math.max(latest, over(e - 1))
      if w > now - 1000000 then needy = needy + 1 end
    end
  end
end
if late then return {0, granted, 0, 0, 1, 0, 0, 0, 0} end
${SETTLE_LUA}
local rest, at = before - math.min(before, held), now
if slides then
  at = now - quiet
  for age, amount in string.gmatch(spends, '(%d+):(%d+)') do
    local part = math.min(rest, tonumber(amount))
    add(over(now - tonumber(age)), part)
    rest = rest - part
  end
end
add(over(at), rest)
add(farthest, debt)
granted = granted - give
held = held - give

local from = math.floor(now / length) * length
if slides then from = now - length end
local parts = { tonumber(ARGV[16]) }
for i = 17, #ARGV, 2 do
  local when, change = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  if when <= from then
    parts[1] = parts[1] + change
  elseif when <= now then
    parts[#parts + 1] = parts[#parts] + change
  end
end
for i = 1, #parts do parts[i] = math.max(0, math.min(ALL, parts[i])) end
local away = 0
for i = 1, #parts do
  local earlier, later = 0, 0
  for k = 1, #parts do
    if k <= i then earlier = math.max(earlier, parts[k]) end
    if k >= i then later = math.max(later, parts[k]) end
  end
  local withheld = ALL - parts[i]
  if slides then withheld = math.min(withheld, 2 * ALL - earlier - later) end
  away = math.max(away, withheld)
end
local left = math.floor(limit * (ALL - away) / ALL) - others - held - used()

local wait = 0
if want > 0 then
  wanted = now
  if left >= need then
    local lent = math.min(want, math.max(need, math.floor(left / unit) * unit))
    left = left - lent
    granted = granted + lent
    held = held + lent
  else
    wait = goneAt(need - left, slides and now + length or farthest) - now
  end
end
latest = writeUsed(latest)
redis.call('HSET', KEYS[1], own,
  string.format('%.0f:%.0f:%.0f:%.0f:%.0f', granted, held, finish, sequence, wanted))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((latest - now) / 1000) + ${WINDOW_KEPT_MS}))
local hope = 0
if others > 0 and (wait == 0 or left + others >= need) then hope = 1 end
if away > 0 and slides then hope = 2 end
local first, last = (ends[1] or now) - now, (ends[#ends] or now) - now
if not slides then first, last = farthest - now, farthest - now end
return {1, granted, left, wait, needy, hope, finish - now, first, last}`;
