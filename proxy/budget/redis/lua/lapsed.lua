#!lua flags=allow-oom
-- Names the holds of workers whose leases have ended; forgets workers without holds whose leases ended long ago.
-- KEYS: workers, owners. ARGV: the instant that leases are compared with, now by the caller's clock, most names,
--   nanoseconds for which a worker is remembered.
-- Answers the instant by the server's clock, then operations.
local off = skew(ARGV[2])
local now = tonumber(ARGV[1]) + off
local most = tonumber(ARGV[3])
local long_ago = tonumber(ARGV[2]) + off - tonumber(ARGV[4])
local named = {string.format('%.0f', now)}
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now), 'WITHSCORES')
for at = 1, #ended, 2 do
  local worker = ended[at]
  local left = most - #named + 1
  if left <= 0 then break end
  local own = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. worker .. '\0', '(' .. worker .. '\1', 'LIMIT', 0, left)
  for _, owned in ipairs(own) do
    named[#named + 1] = string.sub(owned, #worker + 2)
  end
  if #own == 0 and tonumber(ended[at + 1]) < long_ago then redis.call('ZREM', KEYS[1], worker) end
end
return named
