import { LEASE_LUA, SETTLE_LUA } from "./lease-lua.ts";
import { HALVED_FROM, LENT_POLL_MS, SHARES_POLL_MS } from "./units.ts";

/**
 * KEYS: the bucket, a hash: `m` is `tokens:at:limit:per:burst:until`, each other field is a lease,
 * `granted:outstanding:end:sequence:wanted`, the last of which is when more was wanted. Amounts are millionths, times
 * microseconds.
 * ARGV: limit, per, burst; field, sequence, spent, known; want, need, unit, give; for how long nothing was spent; view;
 * expiry's milliseconds beyond a full bucket; for how long to lend; then the history of shares: base time, base fraction, and (time, part) for
 * each change.
 * What was lent may have been spent at any time up to the report of it. So tokens fill up no further than to what is
 * left of the burst besides all that was outstanding until then, or a lease spent at its end and tokens that came
 * meanwhile would be more than the burst in one moment. A share that is withheld begins empty, so what it may have taken
 * grows with time: no sooner is the store to have less. A key that the store does not know was full before all that.
 * Answers: 1 done, 0 out of date, 2 the view is too old; granted, tokens, wait, gateways in need.
 */
export const BUCKET_LUA = `${LEASE_LUA}
local limit, per, burst, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[14])
local life, base, fraction = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
if unsure then return {2, 0, 0, 0, 1} end

local main, granted, late
local others, needy, before, ending, lapsed, lapsedAt, wanted = 0, 1, 0, 0, 0, 0, 0
local gone = {}
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local field, value = raw[i], raw[i + 1]
  if field == 'm' then
    main = value
  else
    local g, o, e, q, w = readLease(field, value, now + LEASE)
    if e <= now then
      gone[#gone + 1] = field
      lapsed = lapsed + o
      lapsedAt = math.max(lapsedAt, e)
    elseif field == own then
      late = sequence <= q
      granted = g
      before = o
      ending = e
      wanted = w
    else
      others = others + o
      if w > now - 1000000 then needy = needy + 1 end
    end
  end
end
if late then return {0, granted, 0, 0, 1} end
${SETTLE_LUA}
local tokens, at, until_, l, p, b
if main then
  tokens, at, l, p, b, until_ = string.match(main, '^(-?%d+):(%d+):(%d+):(%d+):(%d+):(%d+)$')
  tokens, at, l, p, b, until_ = tonumber(tokens), tonumber(at), tonumber(l), tonumber(p), tonumber(b), tonumber(until_)
  if until_ > now + LEASE then until_ = now + LEASE end
else
  l, p, b, until_ = limit, per, burst, 0
end
local rate, ratePer, cap = limit, per, math.min(burst, b)
if l * per < limit * p then rate, ratePer = l, p end
local nextLimit, nextPer, nextBurst = limit, per, burst
if now < until_ then nextLimit, nextPer, nextBurst = rate, ratePer, cap end
if nextLimit == limit and nextPer == per and nextBurst == burst then until_ = now + LEASE end

local leased = others + before + lapsed
local ends = { { lapsedAt, lapsed }, { now - quiet, before - math.min(before, held) } }
if ends[1][1] > ends[2][1] then ends[1], ends[2] = ends[2], ends[1] end
local function full() return math.floor(cap * math.max(0, math.min(ALL, fraction)) / ALL) end
local function step(to)
  local elapsed = math.max(0, to - at)
  local part = math.max(0, math.min(ALL, fraction))
  local more = math.floor(elapsed * rate / ratePer * part / ALL)
  local most = full() - leased
  if tokens > most then
    local away = math.ceil(elapsed * rate / ratePer * (ALL - part) / ALL)
    tokens = math.max(most, math.min(cap - leased, tokens - away))
    at = math.max(at, to)
  elseif tokens + more >= most then
    tokens = most
    at = math.max(at, to)
  else
    tokens = tokens + more
    if part == ALL then at = at + math.min(elapsed, math.ceil(more * ratePer / rate)) else at = math.max(at, to) end
  end
end
local function refill(to)
  for i = 1, 2 do
    if ends[i][1] <= to and ends[i][2] > 0 then
      step(ends[i][1])
      leased = leased - ends[i][2]
      ends[i][2] = 0
    end
  end
  step(to)
end
if not main then
  tokens = full() - others - before
  at = base
elseif at > now then
  at = now
end
if at < base then
  tokens = math.min(tokens, 0)
  at = base
end
for i = 18, #ARGV, 2 do
  local when = tonumber(ARGV[i])
  if when <= at then
    if when <= now then fraction = fraction + tonumber(ARGV[i + 1]) end
  elseif when <= now then
    refill(when)
    at = when
    fraction = fraction + tonumber(ARGV[i + 1])
  end
end
refill(now)
tokens = tokens - debt + give
granted = granted - give
held = held - give
if held == 0 then ending = 0 end

local g, wait = 0, 0
if want > 0 then
  wanted = now
  local room = cap - others - held
  if cap >= ${HALVED_FROM} then room = cap / 2 - others - held end
  if tokens >= need and (need <= room or others + held == 0) then
    local soft = full() * 3 / 8
    local most = math.min(tokens * 2 / (needy + 1), soft - others - held, soft / needy - held)
    g = math.min(want, math.max(need, math.floor(most / unit) * unit))
    tokens = tokens - g
    granted = granted + g
    held = held + g
  else
    local part = math.max(1, math.min(ALL, fraction))
    wait = math.min(1e15, math.ceil((need - tokens) * nextPer / nextLimit * ALL / part))
    if tokens >= need then wait = ${LENT_POLL_MS * 1000} end
    if part < ALL then wait = math.min(wait, ${SHARES_POLL_MS * 1000}) end
  end
end
redis.call('HSET', KEYS[1],
  'm', string.format('%.0f:%.0f:%.0f:%.0f:%.0f:%.0f', tokens, at, nextLimit, nextPer, nextBurst, until_),
  own, string.format('%.0f:%.0f:%.0f:%.0f:%.0f', granted, held, math.max(ending, now + life), sequence, wanted))
redis.call('PEXPIRE', KEYS[1],
  string.format('%.0f', math.min(1e12, math.ceil((nextBurst - tokens) * nextPer / nextLimit / 1000)) + kept))
return {1, granted, tokens, wait, needy}`;
