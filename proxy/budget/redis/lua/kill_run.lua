#!lua flags=allow-oom
-- Lets a run take no more calls, also one that was never seen. Answers 1, or 0 if it was killed before.
-- KEYS: runs, all by last call, killed by when, the org's by last call.
-- ARGV: the run, at, now by the caller's clock, seconds for which an idle run is remembered.
local run = run_of(KEYS[1], ARGV[1]) or {started = 0, last = 0, depth = 0, calls = 0, killed = 0, parent = ''}
if run.killed ~= 0 then return 0 end
run.killed = math.max(1, math.floor((tonumber(ARGV[2]) + skew(ARGV[3])) / 1000))
if run.last == 0 then run.last = run.killed end
note_run(KEYS, ARGV[1], run, tonumber(ARGV[4]))
redis.call('ZADD', KEYS[3], string.format('%.0f', run.killed), ARGV[1])
return 1
