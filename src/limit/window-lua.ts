import { LEASE_MS, VIEW_MS } from "./units.ts";

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
export const WINDOW_LUA = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local LEASE, VIEW, ALL = ${LEASE_MS * 1000}, ${VIEW_MS * 1000}, 1000000
local limit, length, slides = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local own, sequence, spent, known = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local want, need, unit, give = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local quiet, view, spends = tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[14]
if view >= 0 and (now > view + VIEW or view > now + VIEW) then return {2, 0, 0, 0, 1, 0, 0, 0, 0} end

local width, beyond = length, 0
if slides then width, beyond = math.ceil(length / ${WINDOW_PARTS}), length end
local function over(at) return (math.floor(at / width) + 1) * width + beyond end
local farthest, finish = over(now), now + LEASE
if not slides then finish = math.min(finish, farthest) end
local ends, amounts = {}, {}
local function add(till, amount)
  if amount <= 0 or till <= now then return end
  local i = #ends
  while i > 0 and ends[i] > till do i = i - 1 end
  if i > 0 and ends[i] == till then
    amounts[i] = amounts[i] + amount
  else
    table.insert(ends, i + 1, till)
    table.insert(amounts, i + 1, amount)
  end
end

local granted, late
local others, needy, before, wanted, latest = 0, 1, 0, 0, over(finish - 1)
local gone = {}
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local field, value = raw[i], raw[i + 1]
  if field == 'u' then
    for till, amount in string.gmatch(value, '(%d+):(%d+)') do
      add(math.min(tonumber(till), farthest), tonumber(amount))
    end
  else
    local g, o, e, q, w = string.match(value, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
    g, o, e, q, w = tonumber(g), tonumber(o), tonumber(e), tonumber(q), tonumber(w)
    if e > finish then
      e = finish
      redis.call('HSET', KEYS[1], field, string.format('%.0f:%.0f:%.0f:%.0f:%.0f', g, o, e, q, w))
    end
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
for _, field in ipairs(gone) do redis.call('HDEL', KEYS[1], field) end
granted = granted or math.min(known, spent)
local debt = math.max(0, spent - granted)
granted = math.max(granted, spent)
local held = granted - spent
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
give = math.min(give, held)
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
local left = math.floor(limit * (ALL - away) / ALL) - others - held
for i = 1, #amounts do left = left - amounts[i] end

local wait = 0
if want > 0 then
  wanted = now
  if left >= need then
    local lent = math.min(want, math.max(need, math.floor(left / unit) * unit))
    left = left - lent
    granted = granted + lent
    held = held + lent
  else
    local missing = need - left
    wait = slides and length or farthest - now
    for i = 1, #ends do
      missing = missing - amounts[i]
      if missing <= 0 then
        wait = ends[i] - now
        break
      end
    end
  end
end
local text = ''
for i = 1, #ends do
  text = text .. string.format('%.0f:%.0f;', ends[i], amounts[i])
  latest = math.max(latest, ends[i])
end
if text == '' then redis.call('HDEL', KEYS[1], 'u') else redis.call('HSET', KEYS[1], 'u', text) end
redis.call('HSET', KEYS[1], own,
  string.format('%.0f:%.0f:%.0f:%.0f:%.0f', granted, held, finish, sequence, wanted))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((latest - now) / 1000) + ${WINDOW_KEPT_MS}))
local hope = 0
if others > 0 and (wait == 0 or left + others >= need) then hope = 1 end
if away > 0 and slides then hope = 2 end
local first, last = (ends[1] or now) - now, (ends[#ends] or now) - now
if not slides then first, last = farthest - now, farthest - now end
return {1, granted, left, wait, needy, hope, finish - now, first, last}`;
