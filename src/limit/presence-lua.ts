import { CLOCK_LUA } from "./clock-lua.ts";
import { LIFE_MS, VIEW_MS, WITHHELD_MS } from "./units.ts";

/** Changes that are kept one by one; older ones become the base. */
export const CHANGES_KEPT = 24;
/** How long the hash outlives the last heartbeat. */
export const PRESENCE_KEPT_MS = 86_400_000;

/**
 * KEYS: the hash of gateways: `h` is `base:fraction` and `;time:part` for each change; each other field is a
 * gateway, `seen:share:gone:run`. Shares are millionths of every limit, times microseconds.
 * ARGV: action, id, run, share that the caller believes to have, latest time; then (id, share) of each gateway
 * that the caller knew.
 * A share that is withheld is given back at once, though never before it is withheld: who does not know of it yet only
 * lends less.
 * Answers: the gateways as `id=share,`; 1 done, 0 not present, 2 too late; now, share, gateways, vanished; the history.
 */
export const PRESENCE_LUA = `${CLOCK_LUA}
local LIFE, VIEW, WITHHELD, ALL = ${LIFE_MS * 1000}, ${VIEW_MS * 1000}, ${WITHHELD_MS * 1000}, 1000000
local action, id, run = ARGV[1], ARGV[2], ARGV[3]
local believed, latest = tonumber(ARGV[4]), tonumber(ARGV[5])
local base, fraction, changes, gateways = 0, ALL, {}, {}
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  if raw[i] == 'h' then
    local first = true
    for part in string.gmatch(raw[i + 1], '[^;]+') do
      if first then
        local b, f = string.match(part, '^(%d+):(-?%d+)$')
        base, fraction, first = tonumber(b), tonumber(f), false
      else
        local c, p = string.match(part, '^(%d+):(-?%d+)$')
        changes[#changes + 1] = { tonumber(c), tonumber(p) }
      end
    end
  else
    local seen, share, gone, by = string.match(raw[i + 1], '^(%d+):(%d+):(%d+):(.*)$')
    gateways[raw[i]] = { seen = tonumber(seen), share = tonumber(share), gone = tonumber(gone), run = by }
  end
end
-- What is dated later than anything could be is of a clock that went back: shares would be withheld until then.
base = math.min(base, now)
for _, c in ipairs(changes) do c[1] = math.min(c[1], now + 2 * LIFE + VIEW) end
local function change(when, part)
  local i = #changes
  while i > 0 and changes[i][1] > when do i = i - 1 end
  table.insert(changes, i + 1, { when, part })
end
local function giveBack(g) change(math.max(now, g.seen + LIFE + VIEW), g.share) end
local names = {}
for name in pairs(gateways) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local g = gateways[name]
  if g.gone > now then g.gone = now end
  if g.seen > now + LIFE then g.seen = now end
  if g.gone == 0 and g.seen + LIFE <= now then
    g.gone = now
    change(g.seen + LIFE + VIEW, 0 - g.share)
  elseif g.gone > 0 and now >= g.gone + WITHHELD then
    gateways[name] = nil
    giveBack(g)
  end
end

local me = gateways[id]
local status = 0
if latest > 0 and now > latest then
  status = 2
elseif action == 'bye' then
  if me and (run == '' or me.run == run) then
    if me.gone > 0 then giveBack(me) end
    gateways[id] = nil
  end
  status = 1
elseif action == 'join' then
  for i = 6, #ARGV, 2 do
    local share = tonumber(ARGV[i + 1])
    if ARGV[i] ~= id and not gateways[ARGV[i]] and share > 0 then
      gateways[ARGV[i]] = { seen = now - LIFE - VIEW, share = share, gone = now, run = '' }
      change(now, 0 - share)
    end
  end
  if me and me.gone > 0 then
    giveBack(me)
    me = nil
  end
  me = me or { share = 0 }
  me.seen, me.gone = now, 0
  if me.run ~= run then believed = 0 end
  me.run = run
  gateways[id] = me
  status = 1
elseif action == 'beat' and me and me.run == run and me.gone == 0 then
  me.seen = now
  status = 1
end

local count, vanished, sum = 0, 0, 0
for name, g in pairs(gateways) do
  count = count + 1
  if g.gone > 0 then vanished = vanished + 1 end
  if name ~= id then sum = sum + g.share end
end
local told = believed
if status == 1 and action ~= 'bye' then
  told = math.max(0, math.min(math.floor(ALL / count), ALL - sum))
  me.share = math.max(math.min(believed, me.share), told)
end
while #changes > ${CHANGES_KEPT} do
  base = changes[1][1]
  fraction = fraction + changes[1][2]
  table.remove(changes, 1)
end

names = {}
for name in pairs(gateways) do names[#names + 1] = name end
table.sort(names)
local peers, fields = '', {}
for _, name in ipairs(names) do
  local g = gateways[name]
  peers = peers .. name .. '=' .. string.format('%.0f', g.share) .. ','
  fields[#fields + 1] = name
  fields[#fields + 1] = string.format('%.0f:%.0f:%.0f:', g.seen, g.share, g.gone) .. g.run
end
local history = string.format('%.0f:%.0f', base, fraction)
local reply = { peers, status, now, told, count, vanished, base, fraction }
for _, c in ipairs(changes) do
  history = history .. string.format(';%.0f:%.0f', c[1], c[2])
  for i = 1, 2 do reply[#reply + 1] = c[i] end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'h', history, unpack(fields))
redis.call('PEXPIRE', KEYS[1], ${PRESENCE_KEPT_MS})
return reply`;
