#!lua flags=allow-oom
-- Notes that a hold may cost from now on, and whose it is. Answers 1, or 0 when there is no such hold.
-- KEYS: the hold, owners, workers. ARGV: operation, worker, start record ('' keeps the one it has).
local was = redis.call('HGET', KEYS[1], 'worker')
if not was then return 0 end
redis.call('HSET', KEYS[1], 'phase', '1', 'worker', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'record', ARGV[3]) end
if was ~= ARGV[2] then
  redis.call('ZREM', KEYS[2], was .. '\0' .. ARGV[1])
  redis.call('ZADD', KEYS[2], 0, ARGV[2] .. '\0' .. ARGV[1])
  redis.call('ZADD', KEYS[3], 'NX', 0, ARGV[2])
end
return 1
