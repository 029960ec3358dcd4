#!lua flags=allow-oom
-- Ends a hold and books its cost on the lines it was made with, in the windows fixed then.
-- KEYS: the hold, the settled, counters, owners.
-- ARGV: operation, its name among the settled, cost, seconds to remember it, who settles it (1: its own worker);
--   then unit, quantity used, …
-- Answers the amount that was held, 'already' and who settled it, or 'unknown' (neither a hold nor a memory of one).
local hold = redis.call('HMGET', KEYS[1], 'amount', 'worker', 'lines')
if not hold[1] then
  local by = redis.call('HGET', KEYS[2], ARGV[2])
  return {ok = by and 'already ' .. by or 'unknown'}
end
local used = {}
for at = 6, #ARGV, 2 do used[ARGV[at]] = ARGV[at + 1] end

-- All that may fail is found out before the first write: what a script has written is not taken back.
local bookings = {}
local lines = cmsgpack.unpack(hold[3])
for at = 1, #lines, 3 do
  local name, held, unit = lines[at], lines[at + 1], lines[at + 2]
  local cost = ARGV[3]
  if held == '' then
    held = hold[1]
  else
    cost = used[unit] or (unit == 'slots' and '0') or held
  end
  local now = redis.call('HMGET', KEYS[3], name .. '\0s', name .. '\0h')
  -- The counter is gone with its budget: nothing to book on.
  if now[2] then
    local s_hi, s_lo = limbs(now[1])
    local c_hi, c_lo = limbs(cost)
    local h_hi, h_lo = limbs(held)
    if carried(s_hi + c_hi, s_lo + c_lo) >= MOST_HI then
      return redis.error_reply('FULL a counter is at the end of what 64 bits count')
    end
    local o_hi, o_lo = carried(c_hi - h_hi, c_lo - h_lo)
    local over = o_hi >= 0 and (o_hi > 0 or o_lo > 0) and text_of(o_hi, o_lo)
    bookings[#bookings + 1] = {name, held, cost, over}
  end
end

for _, each in ipairs(bookings) do
  if each[2] ~= '0' then redis.call('HINCRBY', KEYS[3], each[1] .. '\0h', '-' .. each[2]) end
  if each[3] ~= '0' then redis.call('HINCRBY', KEYS[3], each[1] .. '\0s', each[3]) end
  if each[4] then redis.call('HINCRBY', KEYS[3], each[1] .. '\0o', each[4]) end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[4], hold[2] .. '\0' .. ARGV[1])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {ok = hold[1]}
