-- A run is one field of the hash of all runs: "started last depth calls killed parent", instants in microseconds since
-- 1970 by the server's clock, 0 for never. Doubles are exact for these until the year 2255.
local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1e6 + tonumber(time[2])
end

local function run_of(runs, member)
  local noted = redis.call('HGET', runs, member)
  if not noted then return nil end
  local started, last, depth, calls, killed, parent = string.match(noted, '^(%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  return {
    started = tonumber(started), last = tonumber(last), depth = tonumber(depth), calls = tonumber(calls),
    killed = tonumber(killed), parent = parent,
  }
end

-- Writes a run, where all runs and its org's are found by their last call, and forgets a few that are long idle.
-- `keys`: hash of runs, all by last call, killed by when, the org's by last call.
local function note_run(keys, member, run, memory_s)
  local text = string.format('%.0f %.0f %d %.0f %.0f %s', run.started, run.last, run.depth, run.calls, run.killed,
    run.parent)
  if redis.call('HSET', keys[1], member, text) == 1 then
    local idle = string.format('(%.0f', now_us() - memory_s * 1e6)
    for _, found in ipairs({keys[4], keys[2]}) do
      for _, old in ipairs(redis.call('ZRANGEBYSCORE', found, '-inf', idle, 'LIMIT', 0, 4)) do
        if old ~= member then
          redis.call('HDEL', keys[1], old)
          redis.call('ZREM', keys[2], old)
          redis.call('ZREM', keys[3], old)
          redis.call('ZREM', keys[4], old)
        end
      end
    end
  end
  local last = string.format('%.0f', run.last)
  redis.call('ZADD', keys[2], last, member)
  redis.call('ZADD', keys[4], last, member)
  redis.call('EXPIRE', keys[4], memory_s + 86400)
end
