#!lua
-- Sets an amount aside on every line, or on none. A refusal writes nothing.
-- KEYS: the hold, the settled, the released, counters, windows, owners, workers, ends; with a run also runs, all by
--   last call, killed by when, the org's by last call.
-- ARGV: operation, its name among the settled, this hold's own mark, worker, phase, amount, charged at, lease until,
--   now by the caller's clock, start record, its run ('' for none; else also its parent's name, the parent, seconds and
--   depth it may have, or '', and seconds for which an idle run is remembered); then per line: counter, oldest window that counts (or ''),
--   limit ('' if soft), gate ('' if none), second from which nobody asks for the counter any more ('' if ever),
--   amount in the line's own unit ('' for dollars), that unit.
-- Answers "state amount depth" (0 without a run) and "spent held" per line as they were before, or "reached line spent held", or
--   "short line spent held", or "stopped why limit value".
local FORGOTTEN_AT_ONCE, LOOKED_AT_AGAIN_S = 4, 3600

local first, step = ARGV[11] == '' and 12 or 17, 7
local amount = ARGV[6]
local known = redis.call('HGET', KEYS[1], 'amount')
local answer, names, fields = {}, {}, {}
local reached, short
for at = first, #ARGV, step do names[#names + 1] = ARGV[at] end
local now = noted(KEYS[4], names)

for at = first, #ARGV, step do
  local one = #answer + 1
  local wanted = ARGV[at + 5] == '' and amount or ARGV[at + 5]
  local spent, held = now[one] or '0', now[one + 1] or '0'
  fields[one], fields[one + 1] = ARGV[at] .. '\0h', plus(held, wanted)
  if ARGV[at + 1] ~= '' then
    spent, held = with_older(KEYS[4], KEYS[5], ARGV[at], ARGV[at + 1], spent, held)
  end
  answer[one], answer[one + 1] = spent, held
  local too_much, at_gate, full = judged(spent, held, wanted, ARGV[at + 2], ARGV[at + 3])
  if at_gate and not reached then reached = string.format('reached %d %s %s', (at - first) / step, spent, held) end
  if too_much and not short then short = string.format('short %d %s %s', (at - first) / step, spent, held) end
  if full then short = short or 'full' end
end

-- The call's place in its run; one that is not to be found begins with this call.
local run, stopped
local at_us = 0
if ARGV[11] ~= '' then
  at_us = now_us()
  run = run_of(KEYS[9], ARGV[11])
  if not run then
    run = {started = at_us, last = at_us, depth = 1, calls = 0, killed = 0, parent = ARGV[12]}
    if ARGV[13] ~= '' then
      local parent = run_of(KEYS[9], ARGV[13])
      run.depth = 1 + math.max(1, parent and parent.depth or 1)
    end
  end
  local ran_us = at_us - run.started
  if run.killed ~= 0 then
    stopped = 'stopped killed 0 0'
  elseif ARGV[14] ~= '' and run.calls > 0 and ran_us >= tonumber(ARGV[14]) * 1e6 then
    stopped = string.format('stopped seconds %s %d', ARGV[14], math.floor(ran_us / 1e6))
  elseif ARGV[15] ~= '' and run.depth > tonumber(ARGV[15]) then
    stopped = string.format('stopped depth %s %d', ARGV[15], run.depth)
  end
end

local depth = run and run.depth or 0
if known then return {ok = 'known ' .. known .. ' ' .. depth .. ' ' .. table.concat(answer, ' ')} end
if stopped then return {ok = stopped} end
if reached then return {ok = reached} end
if short == 'full' then return redis.error_reply('FULL a counter is at the end of what 64 bits count') end
if short then return {ok = short} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {ok = 'lost'} end
-- A copy of this very hold that was on its way while the hold was made, or given up, and then released.
local released = redis.call('GET', KEYS[3])
if released and string.match(released, '^%S*') == ARGV[3] then return {ok = 'lost'} end

local off = skew(ARGV[9])

-- A new counter is the occasion to forget a few that nobody asks for any more and that nothing is held on.
local function note_end(name, ends_s)
  local now_s = tonumber(redis.call('TIME')[1])
  local over = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', '(' .. now_s, 'LIMIT', 0, FORGOTTEN_AT_ONCE)
  for _, old in ipairs(over) do
    local held = redis.call('HGET', KEYS[4], old .. '\0h')
    if held and held ~= '0' then
      redis.call('ZADD', KEYS[8], now_s + LOOKED_AT_AGAIN_S, old)
    else
      redis.call('HDEL', KEYS[4], old .. '\0s', old .. '\0h', old .. '\0o', old .. '\0p')
      redis.call('ZREM', KEYS[5], old)
      redis.call('ZREM', KEYS[8], old)
    end
  end
  redis.call('ZADD', KEYS[8], string.format('%.0f', ends_s + off / 1e9), name)
end

local lines = {}
if #fields > 0 then redis.call('HSET', KEYS[4], unpack(fields)) end
for at = first, #ARGV, step do
  local of = #lines
  lines[of + 1], lines[of + 2], lines[of + 3] = ARGV[at], ARGV[at + 5], ARGV[at + 6]
  if not now[of / 3 * 2 + 2] then
    redis.call('ZADD', KEYS[5], 0, ARGV[at])
    if ARGV[at + 4] ~= '' then note_end(ARGV[at], tonumber(ARGV[at + 4])) end
  end
end
redis.call('HSET', KEYS[1], 'amount', amount, 'mark', ARGV[3], 'worker', ARGV[4], 'phase', ARGV[5],
  'charged', ARGV[7], 'lease', string.format('%.0f', tonumber(ARGV[8]) + off), 'lines', cmsgpack.pack(lines),
  'record', ARGV[10])
if run then
  run.calls = run.calls + 1
  run.last = math.max(run.last, at_us)
  note_run({KEYS[9], KEYS[10], KEYS[11], KEYS[12]}, ARGV[11], run, tonumber(ARGV[16]))
end
redis.call('ZADD', KEYS[6], 0, ARGV[4] .. '\0' .. ARGV[1])
redis.call('ZADD', KEYS[7], 'NX', 0, ARGV[4])
return {ok = 'held ' .. amount .. ' ' .. depth .. ' ' .. table.concat(answer, ' ')}
