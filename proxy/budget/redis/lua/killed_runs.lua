#!lua flags=no-writes
-- The runs killed since. KEYS: killed by when. ARGV: since, now by the caller's clock.
local since = math.floor((tonumber(ARGV[1]) + skew(ARGV[2])) / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', string.format('%.0f', since), 'LIMIT', 0, 10000)
