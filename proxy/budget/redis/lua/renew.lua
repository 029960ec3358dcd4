#!lua flags=allow-oom
-- Lets a worker's holds live until then, at least.
-- KEYS: workers. ARGV: worker, until, now by the caller's clock.
local until_ns = tonumber(ARGV[2]) + skew(ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', until_ns), ARGV[1])
return 1
