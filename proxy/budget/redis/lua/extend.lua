#!lua
-- Sets more aside for an open hold on its lines of some units, or on none of them. Asked again with the same number,
-- or a smaller one that was long on its way: the hold as it is.
-- KEYS: the hold, counters, windows.
-- ARGV: process that asks, number of this extension among its own, how many units; per unit: its word, amount; then
--   per line of those units: counter, oldest window that counts (or ''), limit ('' if soft), amount.
-- Answers "state amount" and "spent held" per line as they were before, or "short line spent held".
local more = {}
local first, step = 4, 4
for _ = 1, tonumber(ARGV[3]) do
  more[ARGV[first]] = ARGV[first + 1]
  first = first + 2
end
local done = 'extended:' .. ARGV[1]
local hold = redis.call('HMGET', KEYS[1], 'amount', 'lines', done)
if not hold[1] then return {ok = 'lost'} end

local again = tonumber(ARGV[2]) <= tonumber(hold[3] or 0)
local answer, names = {}, {}
for at = first, #ARGV, step do names[#names + 1] = ARGV[at] end
local now = noted(KEYS[2], names)
local amount = plus(hold[1], more['usd'] or '0')
local full = is_full(amount)

for at = first, #ARGV, step do
  local one = #answer + 1
  local spent, held = now[one] or '0', now[one + 1] or '0'
  if ARGV[at + 1] ~= '' then
    spent, held = with_older(KEYS[2], KEYS[3], ARGV[at], ARGV[at + 1], spent, held)
  end
  local too_much, _, too_large = judged(spent, held, ARGV[at + 3], ARGV[at + 2], '')
  if too_much and not again then
    return {ok = string.format('short %d %s %s', (at - first) / step, spent, held)}
  end
  full = full or too_large
  answer[one], answer[one + 1] = spent, held
end

if again then return {ok = 'known ' .. hold[1] .. ' ' .. table.concat(answer, ' ')} end

-- What the hold was made on, whatever became of its budgets since.
local lines = cmsgpack.unpack(hold[2])
local grown = {}
for at = 1, #lines, 3 do
  local own = lines[at + 1] ~= ''
  local by = more[own and lines[at + 2] or 'usd'] or '0'
  if by ~= '0' then
    if own then
      lines[at + 1] = plus(lines[at + 1], by)
      full = full or is_full(lines[at + 1])
    end
    if redis.call('HEXISTS', KEYS[2], lines[at] .. '\0h') == 1 then
      grown[#grown + 1] = {lines[at], by}
    end
  end
end
if full then return redis.error_reply('FULL a counter is at the end of what 64 bits count') end

for _, each in ipairs(grown) do
  redis.call('HINCRBY', KEYS[2], each[1] .. '\0h', each[2])
end
redis.call('HSET', KEYS[1], 'amount', amount, 'lines', cmsgpack.pack(lines), done, ARGV[2])
return {ok = 'held ' .. amount .. ' ' .. table.concat(answer, ' ')}
