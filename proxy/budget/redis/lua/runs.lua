#!lua flags=no-writes
-- The runs with the latest calls.
-- KEYS: runs, those to choose from by last call. ARGV: most, before ('' for any), now by the caller's clock.
-- Answers run, what is noted of it, ….
local last = '+inf'
if ARGV[2] ~= '' then last = string.format('(%.0f', math.ceil((tonumber(ARGV[2]) + skew(ARGV[3])) / 1000)) end
local answer = {}
for _, member in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[2], last, '-inf', 'LIMIT', 0, ARGV[1])) do
  local noted = redis.call('HGET', KEYS[1], member)
  -- One that is no longer there was forgotten beside another org's.
  if noted then
    answer[#answer + 1] = member
    answer[#answer + 1] = noted
  end
end
return answer
