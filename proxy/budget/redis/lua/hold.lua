#!lua
-- Sets an amount aside on every line, or on none. A refusal writes nothing.
-- KEYS: the hold, the settled, the released, counters, windows, owners, workers, ends.
-- ARGV: operation, its name among the settled, this hold's own mark, worker, phase, amount, charged at, lease until,
--   now by the caller's clock, start record; then per line: counter, oldest window that counts (or ''),
--   limit ('' if soft), gate ('' if none), second from which nobody asks for the counter any more ('' if ever),
--   amount in the line's own unit ('' for dollars), that unit.
-- Answers "state amount" and "spent held" per line as they were before, or "reached line spent held", or
--   "short line spent held".
local FORGOTTEN_AT_ONCE, LOOKED_AT_AGAIN_S = 4, 3600

local first, step = 11, 7
local amount = ARGV[6]
local known = redis.call('HGET', KEYS[1], 'amount')
local answer, fresh = {}, {}
local reached, short

for at = first, #ARGV, step do
  local s_hi, s_lo, h_hi, h_lo, there = standing(KEYS[4], KEYS[5], ARGV[at], ARGV[at + 1])
  local w_hi, w_lo = limbs(ARGV[at + 5] == '' and amount or ARGV[at + 5])
  local hi, lo = carried(s_hi + h_hi + w_hi, s_lo + h_lo + w_lo)
  if ARGV[at + 2] ~= '' and not short then
    local l_hi, l_lo = limbs(ARGV[at + 2])
    if above(hi, lo, l_hi, l_lo) then
      short = string.format('short %d %s %s', (at - first) / step, text_of(s_hi, s_lo), text_of(h_hi, h_lo))
    end
  end
  if ARGV[at + 3] ~= '' and not reached then
    local g_hi, g_lo = limbs(ARGV[at + 3])
    if above(hi, lo, g_hi, g_lo) then
      reached = string.format('reached %d %s %s', (at - first) / step, text_of(s_hi, s_lo), text_of(h_hi, h_lo))
    end
  end
  if hi >= MOST_HI then
    short = short or 'full'
  end
  fresh[at] = not there
  answer[#answer + 1] = text_of(s_hi, s_lo)
  answer[#answer + 1] = text_of(h_hi, h_lo)
end

if known then return {ok = 'known ' .. known .. ' ' .. table.concat(answer, ' ')} end
if reached then return {ok = reached} end
if short == 'full' then return redis.error_reply('FULL a counter is at the end of what 64 bits count') end
if short then return {ok = short} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {ok = 'lost'} end
-- A copy of this very hold that was on its way while the hold was made, or given up, and then released.
local released = redis.call('GET', KEYS[3])
if released and string.match(released, '^%S*') == ARGV[3] then return {ok = 'lost'} end

local off = skew(ARGV[9])

-- A new counter is the occasion to forget a few that nobody asks for any more and that nothing is held on.
local function note_end(name, ends_s)
  local now_s = tonumber(redis.call('TIME')[1])
  local over = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', '(' .. now_s, 'LIMIT', 0, FORGOTTEN_AT_ONCE)
  for _, old in ipairs(over) do
    local held = redis.call('HGET', KEYS[4], old .. '\0h')
    if held and held ~= '0' then
      redis.call('ZADD', KEYS[8], now_s + LOOKED_AT_AGAIN_S, old)
    else
      redis.call('HDEL', KEYS[4], old .. '\0s', old .. '\0h', old .. '\0o', old .. '\0p')
      redis.call('ZREM', KEYS[5], old)
      redis.call('ZREM', KEYS[8], old)
    end
  end
  redis.call('ZADD', KEYS[8], string.format('%.0f', ends_s + off / 1e9), name)
end

local lines = {}
for at = first, #ARGV, step do
  local own = ARGV[at + 5]
  redis.call('HINCRBY', KEYS[4], ARGV[at] .. '\0h', own == '' and amount or own)
  lines[#lines + 1] = ARGV[at]
  lines[#lines + 1] = own
  lines[#lines + 1] = ARGV[at + 6]
end
for at = first, #ARGV, step do
  if fresh[at] then
    redis.call('ZADD', KEYS[5], 0, ARGV[at])
    if ARGV[at + 4] ~= '' then note_end(ARGV[at], tonumber(ARGV[at + 4])) end
  end
end
redis.call('HSET', KEYS[1], 'amount', amount, 'mark', ARGV[3], 'worker', ARGV[4], 'phase', ARGV[5],
  'charged', ARGV[7], 'lease', string.format('%.0f', tonumber(ARGV[8]) + off), 'lines', cmsgpack.pack(lines),
  'record', ARGV[10])
redis.call('ZADD', KEYS[6], 0, ARGV[4] .. '\0' .. ARGV[1])
redis.call('ZADD', KEYS[7], 'NX', 0, ARGV[4])
return {ok = 'held ' .. amount .. ' ' .. table.concat(answer, ' ')}
