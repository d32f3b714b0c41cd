/**
 * What windows and quotas have in common: the field `u` is what is used, `until:amount;…` by when it counts no more.
 * Expects `now`.
 */
export const USED_LUA = `
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
local function readUsed(text, farthest)
  for till, amount in string.gmatch(text, '(%d+):(%d+)') do
    add(math.min(tonumber(till), farthest), tonumber(amount))
  end
end
local function used()
  local sum = 0
  for i = 1, #amounts do sum = sum + amounts[i] end
  return sum
end
local function goneAt(amount, otherwise)
  for i = 1, #ends do
    amount = amount - amounts[i]
    if amount <= 0 then return ends[i] end
  end
  return otherwise
end
local function writeUsed(latest)
  local text = ''
  for i = 1, #ends do
    if amounts[i] > 0 then
      text = text .. string.format('%.0f:%.0f;', ends[i], amounts[i])
      latest = math.max(latest, ends[i])
    end
  end
  if text == '' then redis.call('HDEL', KEYS[1], 'u') else redis.call('HSET', KEYS[1], 'u', text) end
  return latest
end
`;
