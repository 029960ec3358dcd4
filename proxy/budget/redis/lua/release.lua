#!lua flags=allow-oom
-- Ends a hold at no cost; answers 1 if there was one, also when asked again with the same mark.
-- KEYS: the hold, the released, counters, owners.
-- ARGV: operation, '1' if only a hold that was not dispatched, mark of this release, mark of the one hold that is
--   meant ('' for any), seconds to remember it.
local hold = redis.call('HMGET', KEYS[1], 'amount', 'worker', 'lines', 'phase', 'mark')
local meant = hold[1] and (ARGV[4] == '' or hold[5] == ARGV[4]) and not (ARGV[2] == '1' and hold[4] == '1')
if not meant then
  -- Nobody waits for that hold any more: should a copy of it still come, it must find the door shut.
  if ARGV[4] ~= '' then
    redis.call('SET', KEYS[2], ARGV[4] .. ' ' .. ARGV[3], 'EX', ARGV[5])
    return 0
  end
  local released = redis.call('GET', KEYS[2])
  return released and string.match(released, '%S*$') == ARGV[3] and 1 or 0
end

local lines = cmsgpack.unpack(hold[3])
for at = 1, #lines, 3 do
  local name, held = lines[at] .. '\0h', lines[at + 1]
  if held == '' then held = hold[1] end
  if held ~= '0' and redis.call('HEXISTS', KEYS[3], name) == 1 then
    redis.call('HINCRBY', KEYS[3], name, '-' .. held)
  end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[4], hold[2] .. '\0' .. ARGV[1])
redis.call('SET', KEYS[2], hold[5] .. ' ' .. ARGV[3], 'EX', ARGV[5])
return 1
