#!lua
-- Sets more aside for an open hold on its lines in dollars, or on none of them. Asked again with the same number, or
-- a smaller one that was long on its way: the hold as it is.
-- KEYS: the hold, counters, windows.
-- ARGV: process that asks, number of this extension among its own, amount; then per line: counter, oldest window that
--   counts (or ''), limit ('' if soft).
-- Answers "state amount" and "spent held" per line as they were before, or "short line spent held".
local first, step = 4, 3
local by = ARGV[3]
local done = 'extended:' .. ARGV[1]
local hold = redis.call('HMGET', KEYS[1], 'amount', done)
if not hold[1] then return {ok = 'lost'} end

local b_hi, b_lo = limbs(by)
local a_hi, a_lo = limbs(hold[1])
a_hi, a_lo = carried(a_hi + b_hi, a_lo + b_lo)
local again = tonumber(ARGV[2]) <= tonumber(hold[2] or 0)
local answer = {}
local full = a_hi >= MOST_HI

for at = first, #ARGV, step do
  local s_hi, s_lo, h_hi, h_lo = standing(KEYS[2], KEYS[3], ARGV[at], ARGV[at + 1])
  local hi, lo = carried(s_hi + h_hi + b_hi, s_lo + h_lo + b_lo)
  if ARGV[at + 2] ~= '' and not again then
    local l_hi, l_lo = limbs(ARGV[at + 2])
    if above(hi, lo, l_hi, l_lo) then
      return {ok = string.format('short %d %s %s', (at - first) / step, text_of(s_hi, s_lo), text_of(h_hi, h_lo))}
    end
  end
  full = full or hi >= MOST_HI
  answer[#answer + 1] = text_of(s_hi, s_lo)
  answer[#answer + 1] = text_of(h_hi, h_lo)
end

if again then return {ok = 'known ' .. hold[1] .. ' ' .. table.concat(answer, ' ')} end
if full then return redis.error_reply('FULL a counter is at the end of what 64 bits count') end

for at = first, #ARGV, step do
  redis.call('HINCRBY', KEYS[2], ARGV[at] .. '\0h', by)
end
local amount = text_of(a_hi, a_lo)
redis.call('HSET', KEYS[1], 'amount', amount, done, ARGV[2])
return {ok = 'held ' .. amount .. ' ' .. table.concat(answer, ' ')}
