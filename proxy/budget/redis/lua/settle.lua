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
local lines, names, fields, overruns = cmsgpack.unpack(hold[3]), {}, {}, {}
for at = 1, #lines, 3 do names[#names + 1] = lines[at] end
local now = noted(KEYS[3], names)
for at, name in ipairs(names) do
  local held, unit = lines[3 * at - 1], lines[3 * at]
  local cost = ARGV[3]
  if held == '' then
    held = hold[1]
  else
    cost = used[unit] or (unit == 'slots' and '0') or held
  end
  -- The counter is gone with its budget: nothing to book on.
  if now[2 * at] then
    local spent = plus(now[2 * at - 1] or '0', cost)
    if is_full(spent) then return redis.error_reply('FULL a counter is at the end of what 64 bits count') end
    local one = #fields
    fields[one + 1], fields[one + 2] = name .. '\0s', spent
    fields[one + 3], fields[one + 4] = name .. '\0h', minus(now[2 * at], held)
    local over = minus(cost, held)
    if over ~= '0' and string.byte(over) ~= 45 then overruns[name] = over end
  end
end

if #fields > 0 then redis.call('HSET', KEYS[3], unpack(fields)) end
for name, over in pairs(overruns) do redis.call('HINCRBY', KEYS[3], name .. '\0o', over) end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[4], hold[2] .. '\0' .. ARGV[1])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {ok = hold[1]}
