#!lua flags=allow-oom
-- Lets counters say at least what they must, or exactly that ('1'); what is held stays.
-- KEYS: counters, windows, ends. ARGV: '1' for exactly; then per counter: name, spent, opening, end in seconds or ''.

-- Whether one whole number, not negative, is more than another, both as decimal text.
local function more(one, other)
  return #one > #other or (#one == #other and one > other)
end

for at = 2, #ARGV, 4 do
  local name, spent = ARGV[at], ARGV[at + 1]
  if ARGV[1] == '1' or more(spent, redis.call('HGET', KEYS[1], name .. '\0s') or '0') then
    redis.call('HSET', KEYS[1], name .. '\0s', spent)
  end
  redis.call('HSET', KEYS[1], name .. '\0p', ARGV[at + 2])
  redis.call('HSETNX', KEYS[1], name .. '\0h', '0')
  redis.call('ZADD', KEYS[2], 0, name)
  if ARGV[at + 3] ~= '' then redis.call('ZADD', KEYS[3], ARGV[at + 3], name) end
end
return 1
