#!lua flags=no-writes
-- KEYS: counters, windows. ARGV per line: counter, oldest window that counts (or ''). Answers "spent held" per line.
local answer, names = {}, {}
for at = 1, #ARGV, 2 do names[#names + 1] = ARGV[at] end
local now = noted(KEYS[1], names)
for at = 1, #ARGV, 2 do
  local spent, held = now[at] or '0', now[at + 1] or '0'
  if ARGV[at + 1] ~= '' then
    spent, held = with_older(KEYS[1], KEYS[2], ARGV[at], ARGV[at + 1], spent, held)
  end
  answer[at], answer[at + 1] = spent, held
end
return {ok = table.concat(answer, ' ')}
