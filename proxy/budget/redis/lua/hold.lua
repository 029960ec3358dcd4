#!lua
-- Sets an amount aside on every line, or on none. A refusal writes nothing.
-- KEYS: the hold, the settled, the released, counters, windows, owners, workers.
-- ARGV: operation, its name among the settled, this hold's own mark, worker, phase, amount, charged at, lease until,
--   now by the caller's clock, start record; then per line: counter, oldest window that counts (or ''),
--   limit ('' if soft), amount in the line's own unit ('' for dollars), that unit.
-- Answers "state amount" and "spent held" per line as they were before, or "short line spent held".
local KEPT_WINDOWS, KEPT_ROLLING, FORGOTTEN_AT_ONCE = 400, 128, 8

local first, step = 11, 5
local amount = ARGV[6]
local known = redis.call('HGET', KEYS[1], 'amount')
local answer, fresh = {}, {}
local short

for at = first, #ARGV, step do
  local s_hi, s_lo, h_hi, h_lo, there = standing(KEYS[4], KEYS[5], ARGV[at], ARGV[at + 1])
  local w_hi, w_lo = limbs(ARGV[at + 3] == '' and amount or ARGV[at + 3])
  local hi, lo = carried(s_hi + h_hi + w_hi, s_lo + h_lo + w_lo)
  if ARGV[at + 2] ~= '' and not short then
    local l_hi, l_lo = limbs(ARGV[at + 2])
    if above(hi, lo, l_hi, l_lo) then
      short = string.format('short %d %s %s', (at - first) / step, text_of(s_hi, s_lo), text_of(h_hi, h_lo))
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
if short == 'full' then return redis.error_reply('FULL a counter is at the end of what 64 bits count') end
if short then return {ok = short} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {ok = 'lost'} end
-- A copy of this very hold that was on its way while the hold was made, or given up, and then released.
local released = redis.call('GET', KEYS[3])
if released and string.match(released, '^%S*') == ARGV[3] then return {ok = 'lost'} end

-- Of windows long over only the newest are kept, and those with open holds.
local function forget_oldest(name, rolling)
  local budget = string.match(name, '^[^%z]*')
  local kept = rolling and KEPT_ROLLING or KEPT_WINDOWS
  local from = '[' .. budget .. '\0'
  if redis.call('ZLEXCOUNT', KEYS[5], from, '(' .. budget .. '\1') <= kept then return end
  for _, old in ipairs(redis.call('ZRANGEBYLEX', KEYS[5], from, '(' .. name, 'LIMIT', 0, FORGOTTEN_AT_ONCE)) do
    local held = redis.call('HGET', KEYS[4], old .. '\0h')
    if not held or held == '0' then
      redis.call('HDEL', KEYS[4], old .. '\0s', old .. '\0h', old .. '\0o', old .. '\0p')
      redis.call('ZREM', KEYS[5], old)
    end
  end
end

local lines = {}
for at = first, #ARGV, step do
  local own = ARGV[at + 3]
  redis.call('HINCRBY', KEYS[4], ARGV[at] .. '\0h', own == '' and amount or own)
  if fresh[at] then
    redis.call('ZADD', KEYS[5], 0, ARGV[at])
    forget_oldest(ARGV[at], ARGV[at + 1] ~= '')
  end
  lines[#lines + 1] = ARGV[at]
  lines[#lines + 1] = own
  lines[#lines + 1] = ARGV[at + 4]
end
local lease = tonumber(ARGV[8]) + skew(ARGV[9])
redis.call('HSET', KEYS[1], 'amount', amount, 'mark', ARGV[3], 'worker', ARGV[4], 'phase', ARGV[5],
  'charged', ARGV[7], 'lease', string.format('%.0f', lease), 'step', '0', 'lines', cmsgpack.pack(lines),
  'record', ARGV[10])
redis.call('ZADD', KEYS[6], 0, ARGV[4] .. '\0' .. ARGV[1])
redis.call('ZADD', KEYS[7], 'NX', 0, ARGV[4])
return {ok = 'held ' .. amount .. ' ' .. table.concat(answer, ' ')}
